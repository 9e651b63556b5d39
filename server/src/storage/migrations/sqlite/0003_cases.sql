-- Counts the changes of a case and of who is tied to it, so that whoever decides on them writes only while they stand.
ALTER TABLE cases ADD COLUMN version BIGINT NOT NULL DEFAULT 1;

-- Which home was released: until now the first one was shown.
ALTER TABLE cases ADD COLUMN released_home TEXT;
UPDATE cases SET released_home =
    (SELECT min(document_id) FROM documents WHERE documents.case_id = cases.case_id AND kind = 'home')
WHERE released_at IS NOT NULL;
