-- A cache: all changes of each document as it stood at a version, packed as they travel to a device that is new to it.
-- Made when such a device asks, anew once the document has grown.
CREATE TABLE frames (
    document_id TEXT PRIMARY KEY,
    case_id     TEXT NOT NULL,
    version     INTEGER NOT NULL,
    sealed      BLOB NOT NULL
) STRICT;
CREATE INDEX frames_case ON frames (case_id);
