//! The generated house: two pictures as a telephone would take them, with the home's position in them.

use image::{ImageFormat, Rgb, RgbImage};

/// Where the home is: degrees, minutes and seconds, each a number over another, as EXIF has them. North, then west.
const LATITUDE: [(u32, u32); 3] = [(51, 1), (33, 1), (3096, 100)];
const LONGITUDE: [(u32, u32); 3] = [(0, 1), (15, 1), (4896, 100)];
/// The same once more, as editors of pictures put it beside: an XMP packet.
const XMP: &str = concat!(
    "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">",
    "<rdf:Description rdf:about=\"\" xmlns:exif=\"http://ns.adobe.com/exif/1.0/\" ",
    "exif:GPSLatitude=\"51,33.516N\" exif:GPSLongitude=\"0,15.816W\"/></rdf:RDF></x:xmpmeta>"
);

/// The words that an EXIF and an XMP segment begin with.
const EXIF_BEGINS: &[u8] = b"Exif\0\0";
const XMP_BEGINS: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";

/// How many [`traces_in`] a sample there are.
pub(super) const TRACES: usize = 6;

/// What tells that something else than the picture is in these bytes, and where it was taken. Every sample has all of
/// it, and none may leave the device.
pub(super) fn traces_in(bytes: &[u8]) -> Vec<&'static str> {
    let traces: [(&str, &[u8]); TRACES] = [
        ("an EXIF block", EXIF_BEGINS),
        ("the latitude", &rationals(LATITUDE)),
        ("the longitude", &rationals(LONGITUDE)),
        ("an XMP packet", XMP_BEGINS),
        ("the latitude in words", b"51,33.516N"),
        ("the longitude in words", b"0,15.816W"),
    ];
    let holds = |trace: &[u8]| bytes.windows(trace.len()).any(|window| window == trace);
    traces.into_iter().filter(|(_, trace)| holds(trace)).map(|(name, _)| name).collect()
}

/// A door in a wall, its width marked.
pub(super) fn door() -> Result<Vec<u8>, image::ImageError> {
    picture(|x, y| match (x, y) {
        (1040..1070, 700..720) => Rgb([200, 170, 60]),
        (500..1100, 250..1200) => Rgb([139, 94, 60]),
        (480..500 | 1100..1120, 230..1200) | (480..1120, 230..250) => Rgb([240, 240, 235]),
        (_, 1100..) => Rgb([150, 150, 155]),
        _ => Rgb([205, 215, 220]),
    })
}

/// A flight of stairs.
pub(super) fn stairs() -> Result<Vec<u8>, image::ImageError> {
    picture(|x, y| {
        let step = x / 120;
        let height = 1150_u32.saturating_sub(step * 85);
        match y {
            _ if y > height && y < height + 14 => Rgb([90, 60, 40]),
            _ if y >= height => Rgb([176, 132, 94]),
            _ => Rgb([225, 220, 205]),
        }
    })
}

fn picture(paint: impl Fn(u32, u32) -> Rgb<u8>) -> Result<Vec<u8>, image::ImageError> {
    let picture = RgbImage::from_fn(1600, 1200, paint);
    let mut jpeg = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut jpeg, ImageFormat::Jpeg)?;
    Ok(with_position(&jpeg.into_inner()))
}

/// The picture with its position behind its first marker, as telephones write it: two APP1 segments, EXIF and XMP.
fn with_position(jpeg: &[u8]) -> Vec<u8> {
    let mut with = jpeg[..2].to_vec();
    for content in [[EXIF_BEGINS, &tiff()].concat(), [XMP_BEGINS, XMP.as_bytes()].concat()] {
        with.extend([0xff, 0xe1]);
        with.extend(u16::try_from(content.len() + 2).unwrap_or_default().to_be_bytes());
        with.extend(content);
    }
    with.extend(&jpeg[2..]);
    with
}

/// What an EXIF block holds: a big-endian TIFF with two directories, the camera's and, named by it, the position's.
fn tiff() -> Vec<u8> {
    let (byte, ascii, long, rational) = (1, 2, 4, 5);
    // Each directory is its number of entries, 12 bytes for each entry, and where the next directory is: nowhere.
    let first = 8;
    let gps = first + 2 + 2 * 12 + 4;
    let latitude = gps + 2 + 5 * 12 + 4;
    let longitude = latitude + 24;
    let at = u32::to_be_bytes;
    let mut tiff = [b"MM\0\x2a".as_slice(), &at(first)].concat();
    directory(&mut tiff, &[(0x0110, ascii, 4, *b"F-1\0"), (0x8825, long, 1, at(gps))]);
    directory(
        &mut tiff,
        &[
            (0x0000, byte, 4, [2, 3, 0, 0]),
            (0x0001, ascii, 2, *b"N\0\0\0"),
            (0x0002, rational, 3, at(latitude)),
            (0x0003, ascii, 2, *b"W\0\0\0"),
            (0x0004, rational, 3, at(longitude)),
        ],
    );
    tiff.extend(rationals(LATITUDE));
    tiff.extend(rationals(LONGITUDE));
    tiff
}

/// Entries of tag, type, count, and the value or where it is.
fn directory(tiff: &mut Vec<u8>, entries: &[(u16, u16, u32, [u8; 4])]) {
    tiff.extend(u16::try_from(entries.len()).unwrap_or_default().to_be_bytes());
    for (tag, kind, count, value) in entries {
        tiff.extend(tag.to_be_bytes());
        tiff.extend(kind.to_be_bytes());
        tiff.extend(count.to_be_bytes());
        tiff.extend(value);
    }
    tiff.extend([0; 4]);
}

fn rationals(numbers: [(u32, u32); 3]) -> Vec<u8> {
    numbers.iter().flat_map(|(over, under)| [over.to_be_bytes(), under.to_be_bytes()]).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(bytes: &[u8]) -> usize {
        bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte))
    }

    /// The value, or where it is, of a tag of the directory at `at`.
    fn value(tiff: &[u8], at: usize, tag: usize) -> usize {
        let entries = tiff[at + 2..].chunks(12).take(number(&tiff[at..at + 2]));
        let found = entries.filter(|entry| number(&entry[..2]) == tag).map(|entry| number(&entry[8..])).next();
        found.unwrap_or_else(|| panic!("there is no tag {tag:#06x}"))
    }

    #[test]
    fn a_reader_of_exif_finds_the_position_in_a_sample() {
        let sample = door().unwrap();
        assert_eq!(sample[2..4], [0xff, 0xe1]);
        let tiff = sample[6..4 + number(&sample[4..6])].strip_prefix(EXIF_BEGINS).unwrap();
        assert!(tiff.starts_with(b"MM\0\x2a"));
        let gps = value(tiff, number(&tiff[4..8]), 0x8825);
        let degrees = |tag| -> f64 {
            let parts = tiff[value(tiff, gps, tag)..].chunks(8).take(3);
            let parts = parts.map(|part| number(&part[..4]) as f64 / number(&part[4..]) as f64);
            parts.zip([1.0, 60.0, 3600.0]).map(|(part, of)| part / of).sum()
        };
        assert_eq!((value(tiff, gps, 1), value(tiff, gps, 3)), (number(b"N\0\0\0"), number(b"W\0\0\0")));
        assert!((degrees(2) - 51.5586).abs() < 1e-4 && (degrees(4) - 0.2636).abs() < 1e-4);
        assert_eq!(traces_in(&sample).len(), TRACES);
    }

    #[test]
    fn a_picture_alone_holds_no_trace() {
        let mut alone = Vec::new();
        RgbImage::new(8, 8).write_to(&mut std::io::Cursor::new(&mut alone), ImageFormat::Jpeg).unwrap();
        assert!(traces_in(&alone).is_empty());
    }
}
