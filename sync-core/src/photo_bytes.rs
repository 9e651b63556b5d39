//! What can be told of a JPEG without decoding it: where it ends, how large it is, whether it carries more than its
//! picture. Used on both ends; the decoding and preparing of photos is the device's ([`crate::device`]).

/// One step of a walk through a JPEG's segments.
enum Step<'a> {
    /// A segment: its marker's second byte, its content without the length, and where the next one begins.
    Segment { marker: u8, content: &'a [u8], next: usize },
    /// The end of the image; `end` is the number of bytes up to there.
    End { end: usize },
}

/// The segment at `at`, where a marker must be; `None` when the bytes stop or are no segment.
fn step(jpeg: &[u8], at: usize) -> Option<Step<'_>> {
    let mut at = at;
    if *jpeg.get(at)? != 0xff {
        return None;
    }
    // Any number of 0xff may stand before a marker's second byte.
    while *jpeg.get(at)? == 0xff {
        at += 1;
    }
    let marker = *jpeg.get(at)?;
    at += 1;
    match marker {
        0xd9 => Some(Step::End { end: at }),
        // Markers without content: restarts and TEM.
        0xd0..=0xd7 | 0x01 => Some(Step::Segment { marker, content: &[], next: at }),
        0x00 | 0xd8 => None,
        _ => {
            let length = usize::from(u16::from_be_bytes([*jpeg.get(at)?, *jpeg.get(at + 1)?]));
            let content = jpeg.get(at + 2..at + length)?;
            let mut next = at + length;
            if marker == 0xda {
                next = after_scan(jpeg, next)?;
            }
            Some(Step::Segment { marker, content, next })
        }
    }
}

/// Where the next marker stands after the coded data of a scan.
fn after_scan(jpeg: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += jpeg.get(at..)?.iter().position(|&byte| byte == 0xff)?;
        match jpeg.get(at + 1)? {
            // A stuffed zero or a restart marker belongs to the scan.
            0x00 | 0xd0..=0xd7 => at += 2,
            0xff => at += 1,
            _ => return Some(at),
        }
    }
}

fn is_jpeg(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xff, 0xd8, 0xff])
}

/// How many bytes the image takes, from its start marker to its end marker: what follows is not the photo's. `None`
/// when it is no JPEG or stops before its end marker (cut in half, such a JPEG still decodes, grey below the cut).
pub fn jpeg_end(bytes: &[u8]) -> Option<usize> {
    if !is_jpeg(bytes) {
        return None;
    }
    let mut at = 2;
    loop {
        match step(bytes, at)? {
            Step::Segment { next, .. } => at = next,
            Step::End { end } => return Some(end),
        }
    }
}

/// The frame's header: the second byte of its marker, and its content.
fn frame(bytes: &[u8]) -> Option<(u8, &[u8])> {
    if !is_jpeg(bytes) {
        return None;
    }
    let mut at = 2;
    loop {
        match step(bytes, at)? {
            Step::Segment { marker, content, .. } if is_frame(marker) => return Some((marker, content)),
            // The header comes before the first scan.
            Step::Segment { marker: 0xda, .. } | Step::End { .. } => return None,
            Step::Segment { next, .. } => at = next,
        }
    }
}

/// Width and height in pixels as the header says, before any orientation; `None` when it is no JPEG, has no header
/// or says zero.
pub fn jpeg_dimensions(bytes: &[u8]) -> Option<(u32, u32)> {
    let (_, &[_, h0, h1, w0, w1, ..]) = frame(bytes)? else { return None };
    let (width, height) = (u16::from_be_bytes([w0, w1]), u16::from_be_bytes([h0, h1]));
    (width > 0 && height > 0).then_some((width.into(), height.into()))
}

/// Whether it is coded as nearly every JPEG is, and every reader of JPEGs can read: baseline, extended or progressive
/// with Huffman codes, 8 bits to a sample. `None` when it is no JPEG or has no header.
pub fn jpeg_is_common(bytes: &[u8]) -> Option<bool> {
    let (marker, content) = frame(bytes)?;
    Some(matches!(marker, 0xc0..=0xc2) && content.first() == Some(&8))
}

/// Start of a frame: 0xc0 to 0xcf but for the tables (DHT, JPG, DAC) among them.
const fn is_frame(marker: u8) -> bool {
    matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc)
}

/// Whether a JPEG carries anything besides what is needed to show it: EXIF (with GPS), XMP, IPTC, ICC, a comment, a
/// thumbnail, an unknown segment, bytes after its end. True too of what can't be walked to its end: nobody can say
/// what it carries. A photo prepared by a device carries nothing.
pub fn carries_metadata(jpeg: &[u8]) -> bool {
    if !is_jpeg(jpeg) {
        return true;
    }
    let mut at = 2;
    loop {
        match step(jpeg, at) {
            None => return true,
            Some(Step::End { end }) => return end != jpeg.len(),
            Some(Step::Segment { marker, content, next }) => {
                if !is_picture(marker, content) {
                    return true;
                }
                at = next;
            }
        }
    }
}

/// Whether a segment is part of the picture itself.
fn is_picture(marker: u8, content: &[u8]) -> bool {
    match marker {
        // JFIF without a thumbnail: name, version, density, and a thumbnail of 0 by 0.
        0xe0 => content.len() == 14 && content.starts_with(b"JFIF\0") && content.ends_with(&[0, 0]),
        // Adobe's colour transform.
        0xee => content.len() == 12 && content.starts_with(b"Adobe"),
        // Tables, frames, scans, restart interval, restarts.
        0xc4 | 0xcc | 0xda | 0xdb | 0xdd | 0xd0..=0xd7 => true,
        _ => is_frame(marker),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Start, JFIF, a frame of 3 by 2, a scan with stuffing and a restart, end.
    fn jpeg() -> Vec<u8> {
        let mut bytes = vec![0xff, 0xd8];
        bytes.extend(segment(0xe0, b"JFIF\0\x01\x02\0\0\x01\0\x01\0\0"));
        bytes.extend(segment(0xc0, &[8, 0, 2, 0, 3, 1, 1, 0x11, 0]));
        bytes.extend(segment(0xda, &[1, 1, 0, 0, 63, 0]));
        bytes.extend([1, 2, 0xff, 0, 3, 0xff, 0xd0, 4, 0xff, 0xff, 0xd9]);
        bytes
    }

    fn segment(marker: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len() + 2).unwrap();
        [&[0xff, marker][..], &length.to_be_bytes(), content].concat()
    }

    fn with(extra: &[u8]) -> Vec<u8> {
        let bytes = jpeg();
        [&bytes[..2], extra, &bytes[2..]].concat()
    }

    #[test]
    fn a_plain_jpeg_is_walked_to_its_end() {
        let bytes = jpeg();
        assert_eq!(jpeg_end(&bytes), Some(bytes.len()));
        assert_eq!(jpeg_dimensions(&bytes), Some((3, 2)));
        assert!(!carries_metadata(&bytes));
        assert!(!carries_metadata(&with(&segment(0xee, b"Adobe\0\x64\0\0\0\0\x01"))));
    }

    #[test]
    fn only_huffman_codes_of_8_bits_are_common() {
        let coded = |marker, bits| {
            let mut bytes = vec![0xff, 0xd8];
            bytes.extend(segment(marker, &[bits, 0, 2, 0, 3, 1, 1, 0x11, 0]));
            jpeg_is_common(&bytes)
        };
        for marker in 0xc0..=0xc2 {
            assert_eq!((coded(marker, 8), coded(marker, 12)), (Some(true), Some(false)), "{marker:x}");
        }
        // Lossless, differential, arithmetic.
        for marker in [0xc3, 0xc5, 0xc6, 0xc7, 0xc9, 0xca, 0xcb, 0xcd, 0xce, 0xcf] {
            assert_eq!(coded(marker, 8), Some(false), "{marker:x}");
        }
        // A table of codes is no header.
        assert_eq!(coded(0xc4, 8), None);
        assert_eq!(jpeg_is_common(b"\x89PNG\r\n\x1a\n"), None);
    }

    #[test]
    fn every_kind_of_metadata_is_seen() {
        let gps = segment(0xe1, b"Exif\0\0MM\0*\0\0\0\x08\0\0");
        let xmp = segment(0xe1, b"http://ns.adobe.com/xap/1.0/\0<x/>");
        let icc = segment(0xe2, b"ICC_PROFILE\0\x01\x01");
        let iptc = segment(0xed, b"Photoshop 3.0\0");
        let comment = segment(0xfe, b"taken at 1 High Street");
        let thumbnail = segment(0xe0, b"JFXX\0\x10");
        let long_adobe = segment(0xee, b"Adobe\0\x64\0\0\0\0\x01 High Street");
        let unknown = segment(0xf0, b"?");
        for extra in [gps, xmp, icc, iptc, comment, thumbnail, long_adobe, unknown] {
            let bytes = with(&extra);
            assert!(carries_metadata(&bytes), "{extra:?}");
            assert_eq!(jpeg_dimensions(&bytes), Some((3, 2)));
        }
        let mut between = jpeg();
        between.truncate(between.len() - 2);
        between.extend(segment(0xfe, b"between scan and end"));
        between.extend([0xff, 0xd9]);
        assert!(carries_metadata(&between));
    }

    #[test]
    fn bytes_after_the_end_are_not_the_photos() {
        let bytes = jpeg();
        let trailing = [&bytes[..], b"and a whole video"].concat();
        assert_eq!(jpeg_end(&trailing), Some(bytes.len()));
        assert!(carries_metadata(&trailing));
    }

    #[test]
    fn what_stops_early_or_is_no_jpeg_has_no_end() {
        let bytes = jpeg();
        for cut in 0..bytes.len() {
            assert_eq!(jpeg_end(&bytes[..cut]), None, "cut at {cut}");
            assert!(carries_metadata(&bytes[..cut]), "cut at {cut}");
        }
        for other in [&b""[..], b"\xff", b"\x89PNG\r\n\x1a\n", b"GPS 51.5 N", &[0xff; 100], b"\xff\xd8\xff\xe1\0\0"] {
            assert_eq!((jpeg_end(other), jpeg_dimensions(other)), (None, None));
            assert!(carries_metadata(other));
        }
    }

    #[test]
    fn a_header_that_says_zero_has_no_dimensions() {
        let mut bytes = vec![0xff, 0xd8];
        bytes.extend(segment(0xc2, &[8, 0, 0, 0, 3, 1, 1, 0x11, 0]));
        assert_eq!(jpeg_dimensions(&bytes), None);
        bytes.truncate(2);
        bytes.extend(segment(0xc2, &[8, 0]));
        assert_eq!(jpeg_dimensions(&bytes), None);
    }
}
