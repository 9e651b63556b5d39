//! Preparing a photo: upright, small enough, and with nothing in it but its picture.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::codecs::jpeg::JpegEncoder;
use image::error::{ImageError, LimitErrorKind};
use image::imageops::FilterType;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, RgbaImage};

use crate::id::Hash;
use crate::photo_bytes::{jpeg_end, jpeg_is_common};

const JPEG_QUALITY: u8 = 85;

/// What a photo may ask of this device, and how large it may be when prepared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes the file may have.
    pub bytes: usize,
    /// The most pixels across.
    pub width: u32,
    /// The most pixels down.
    pub height: u32,
    /// The most pixels in all.
    pub pixels: u64,
    /// The most bytes that decoding may take.
    pub memory: u64,
    /// Pixels of the prepared photo's longer side, at most.
    pub long_side: u32,
}

impl Default for Limits {
    /// 64 MiB of file; 20,000 by 20,000 and 120 megapixels; 512 MiB to decode; prepared to 2,560 pixels.
    fn default() -> Self {
        Self {
            bytes: 64 * 1024 * 1024,
            width: 20_000,
            height: 20_000,
            pixels: 120_000_000,
            memory: 512 * 1024 * 1024,
            long_side: 2560,
        }
    }
}

/// A photo as it is sealed, hashed and sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Prepared {
    /// A JPEG without any metadata.
    pub bytes: Vec<u8>,
    /// SHA-256 of `bytes`.
    pub hash: Hash,
    /// Pixels across, upright.
    pub width: u32,
    /// Pixels down, upright.
    pub height: u32,
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { bytes, hash, width, height } = self;
        write!(f, "Prepared({hash}, {width} x {height}, {} bytes)", bytes.len())
    }
}

/// Why a file can't be taken as a photo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PhotoError {
    /// Neither a JPEG nor a PNG.
    #[error("this file is not a photo that can be read here: save it as JPEG or PNG, or take it again as one")]
    NotAPhoto,
    /// A HEIC or HEIF photo, as some telephones take by default.
    #[error(
        "this photo is in HEIC form, which can't be read here: set the camera to \"Most compatible\" (JPEG), or save \
         the photo as JPEG, and take it again"
    )]
    Heic,
    /// The file has more bytes than [`Limits::bytes`].
    #[error("this file has {bytes} bytes and a photo may have {limit}: save it smaller, or take it again")]
    TooLong {
        /// The file's size.
        bytes: usize,
        /// The most it may be.
        limit: usize,
    },
    /// The picture has more pixels, or takes more memory to decode, than the [`Limits`] allow.
    #[error("this picture of {width} x {height} pixels is too large: save it smaller, or take it again")]
    TooLarge {
        /// Pixels across, as its header says.
        width: u32,
        /// Pixels down, as its header says.
        height: u32,
    },
    /// The file stops before the picture's end: it was not copied whole.
    #[error("this photo is cut off: copy or take it again")]
    Truncated,
    /// A JPEG or PNG of a kind that hardly anybody writes, such as an arithmetic-coded or lossless JPEG.
    #[error("this photo is of a rare kind that can't be read here: open it elsewhere and save it as an ordinary JPEG")]
    Unsupported,
    /// The file claims to be a photo and does not decode.
    #[error("this photo is damaged and can't be read: copy or take it again")]
    Broken,
}

/// Prepares any JPEG or PNG: orientation applied, shrunk to the bound, transparency laid on white, re-encoded as a
/// JPEG that carries no metadata (EXIF with GPS, XMP, ICC, thumbnails, bytes after the end). Colours are taken as
/// sRGB. Takes up to a second or two for 12 megapixels: call it where blocking is allowed.
pub fn prepare(bytes: &[u8], limits: &Limits) -> Result<Prepared, PhotoError> {
    if bytes.len() > limits.bytes {
        return Err(PhotoError::TooLong { bytes: bytes.len(), limit: limits.bytes });
    }
    let (format, bytes) = recognise(bytes)?;
    // The decoders are others' code on a stranger's bytes: a panic there is a damaged photo here.
    catch_unwind(AssertUnwindSafe(|| {
        let picture = decode(bytes, format, limits)?;
        encode(&picture)
    }))
    .unwrap_or(Err(PhotoError::Broken))
}

/// The file's form by its first bytes, and the part of the file that is the picture.
fn recognise(bytes: &[u8]) -> Result<(ImageFormat, &[u8]), PhotoError> {
    if bytes.starts_with(&[0xff, 0xd8, 0xff]) {
        let end = jpeg_end(bytes).ok_or(PhotoError::Truncated)?;
        return match jpeg_is_common(bytes) {
            Some(false) => Err(PhotoError::Unsupported),
            // Without a header it is damaged, which the decoder finds.
            _ => Ok((ImageFormat::Jpeg, &bytes[..end])),
        };
    }
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        return Ok((ImageFormat::Png, bytes));
    }
    match (bytes.get(4..8), bytes.get(8..12)) {
        (
            Some(b"ftyp"),
            Some(b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" | b"heif" | b"mif1" | b"msf1"),
        ) => Err(PhotoError::Heic),
        _ => Err(PhotoError::NotAPhoto),
    }
}

/// Decodes within the limits, then shrinks, lays on white and turns upright.
fn decode(bytes: &[u8], format: ImageFormat, limits: &Limits) -> Result<DynamicImage, PhotoError> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    // The reader judges nothing before the header is read: dimensions and size are judged below, with numbers.
    let mut bounds = image::Limits::no_limits();
    bounds.max_alloc = Some(limits.memory);
    reader.limits(bounds);
    let mut decoder = reader.into_decoder().map_err(|error| refused(&error, (0, 0)))?;
    let (width, height) = decoder.dimensions();
    let too_many = u64::from(width) * u64::from(height) > limits.pixels;
    if width > limits.width || height > limits.height || too_many || decoder.total_bytes() > limits.memory {
        return Err(PhotoError::TooLarge { width, height });
    }
    // Orientation that can't be read is none: the picture counts.
    let orientation = decoder.orientation().unwrap_or(image::metadata::Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(|error| refused(&error, (width, height)))?;
    if picture.color().has_alpha() {
        let mut flat = picture.into_rgba8();
        lay_on_white(&mut flat);
        picture = DynamicImage::ImageRgba8(flat);
    }
    if width.max(height) > limits.long_side {
        picture = picture.resize(limits.long_side, limits.long_side, FilterType::CatmullRom);
    }
    picture.apply_orientation(orientation);
    Ok(DynamicImage::ImageRgb8(picture.into_rgb8()))
}

fn lay_on_white(picture: &mut RgbaImage) {
    for pixel in picture.pixels_mut() {
        let [red, green, blue, alpha] = pixel.0;
        let alpha = u32::from(alpha);
        let on_white = |part: u8| {
            let mixed = (u32::from(part) * alpha + 255 * (255 - alpha) + 127) / 255;
            u8::try_from(mixed).unwrap_or(u8::MAX)
        };
        pixel.0 = [on_white(red), on_white(green), on_white(blue), 255];
    }
}

fn encode(picture: &DynamicImage) -> Result<Prepared, PhotoError> {
    let mut bytes = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY);
    picture.write_with_encoder(encoder).map_err(|_| PhotoError::Broken)?;
    Ok(Prepared { hash: Hash::of(&bytes), bytes, width: picture.width(), height: picture.height() })
}

fn refused(error: &ImageError, (width, height): (u32, u32)) -> PhotoError {
    match error {
        ImageError::Limits(error) if !matches!(error.kind(), LimitErrorKind::Unsupported { .. }) => {
            PhotoError::TooLarge { width, height }
        }
        ImageError::Unsupported(_) => PhotoError::Unsupported,
        ImageError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => PhotoError::Truncated,
        _ => PhotoError::Broken,
    }
}

#[cfg(test)]
mod tests {
    use image::{ImageBuffer, Rgb, Rgba};

    use super::*;
    use crate::photo_bytes::{carries_metadata, jpeg_dimensions};

    /// A picture whose left half is red and right half is blue, as a JPEG.
    fn red_and_blue(width: u32, height: u32) -> Vec<u8> {
        let picture =
            ImageBuffer::from_fn(
                width,
                height,
                |x, _| {
                    if x < width / 2 { Rgb([220_u8, 20, 20]) } else { Rgb([20, 20, 220]) }
                },
            );
        let mut bytes = Vec::new();
        picture.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, 90)).unwrap();
        bytes
    }

    /// A big-endian EXIF segment: this orientation, and a GPS latitude of 51° 30′ 26″ N.
    fn exif(orientation: u16) -> Vec<u8> {
        let entry = |tag: u16, kind: u16, count: u32, value: u32| {
            [&tag.to_be_bytes()[..], &kind.to_be_bytes(), &count.to_be_bytes(), &value.to_be_bytes()].concat()
        };
        let mut tiff = b"MM\0*\0\0\0\x08".to_vec();
        tiff.extend(2_u16.to_be_bytes());
        tiff.extend(entry(0x0112, 3, 1, u32::from(orientation) << 16));
        tiff.extend(entry(0x8825, 4, 1, 38));
        tiff.extend(0_u32.to_be_bytes());
        assert_eq!(tiff.len(), 38);
        tiff.extend(2_u16.to_be_bytes());
        tiff.extend(entry(1, 2, 2, u32::from_be_bytes(*b"N\0\0\0")));
        tiff.extend(entry(2, 5, 3, 68));
        tiff.extend(0_u32.to_be_bytes());
        for number in [51_u32, 1, 30, 1, 26, 1] {
            tiff.extend(number.to_be_bytes());
        }
        let content = [b"Exif\0\0", &tiff[..]].concat();
        let length = u16::try_from(content.len() + 2).unwrap();
        [&[0xff, 0xe1][..], &length.to_be_bytes(), &content].concat()
    }

    fn with_exif(jpeg: &[u8], orientation: u16) -> Vec<u8> {
        [&jpeg[..2], &exif(orientation), &jpeg[2..]].concat()
    }

    fn pixel(prepared: &Prepared, x: u32, y: u32) -> [u8; 3] {
        image::load_from_memory(&prepared.bytes).unwrap().to_rgb8().get_pixel(x, y).0
    }

    /// A PNG of one header chunk, and `rest`.
    fn png_header(width: u32, height: u32) -> Vec<u8> {
        let mut chunk = b"IHDR".to_vec();
        chunk.extend(width.to_be_bytes());
        chunk.extend(height.to_be_bytes());
        chunk.extend([8, 2, 0, 0, 0]);
        let mut crc = u32::MAX;
        for byte in &chunk {
            crc ^= u32::from(*byte);
            for _ in 0..8 {
                crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
            }
        }
        [b"\x89PNG\r\n\x1a\n\0\0\0\x0d", &chunk[..], &(!crc).to_be_bytes(), b"\0\0\0\0IDAT\x35\xaf\x06\x1e"].concat()
    }

    #[test]
    fn invariant_9_gps_and_all_other_metadata_are_gone_and_the_photo_is_upright() {
        let taken = with_exif(&red_and_blue(64, 32), 6);
        let taken = [&taken[..], b"a video with a place name"].concat();
        assert!(carries_metadata(&taken));
        let prepared = prepare(&taken, &Limits::default()).unwrap();
        assert!(!carries_metadata(&prepared.bytes));
        assert_eq!((prepared.width, prepared.height), (32, 64));
        assert_eq!(jpeg_dimensions(&prepared.bytes), Some((32, 64)));
        assert_eq!(prepared.hash, Hash::of(&prepared.bytes));
        // Turned by a quarter: what was left is above.
        assert!(pixel(&prepared, 16, 8)[0] > 150, "{:?}", pixel(&prepared, 16, 8));
        assert!(pixel(&prepared, 16, 56)[2] > 150, "{:?}", pixel(&prepared, 16, 56));
    }

    #[test]
    fn a_photo_over_the_bound_is_shrunk_and_a_small_one_is_not_enlarged() {
        let prepared = prepare(&red_and_blue(400, 200), &Limits { long_side: 100, ..Limits::default() }).unwrap();
        assert_eq!((prepared.width, prepared.height), (100, 50));
        let turned = with_exif(&red_and_blue(400, 200), 8);
        let prepared = prepare(&turned, &Limits { long_side: 100, ..Limits::default() }).unwrap();
        assert_eq!((prepared.width, prepared.height), (50, 100));
        let prepared = prepare(&red_and_blue(40, 20), &Limits::default()).unwrap();
        assert_eq!((prepared.width, prepared.height), (40, 20));
    }

    #[test]
    fn the_same_photo_prepares_to_the_same_bytes() {
        let taken = with_exif(&red_and_blue(64, 32), 1);
        assert_eq!(prepare(&taken, &Limits::default()), prepare(&taken, &Limits::default()));
        let again = prepare(&prepare(&taken, &Limits::default()).unwrap().bytes, &Limits::default()).unwrap();
        assert!(!carries_metadata(&again.bytes));
    }

    #[test]
    fn a_png_with_alpha_is_laid_on_white() {
        let picture = ImageBuffer::from_fn(32, 16, |x, _| Rgba([0_u8, 0, 0, if x < 16 { 0 } else { 255 }]));
        let mut png = Cursor::new(Vec::new());
        picture.write_to(&mut png, ImageFormat::Png).unwrap();
        let png = png.into_inner();
        let prepared = prepare(&png, &Limits::default()).unwrap();
        assert!(pixel(&prepared, 2, 8).iter().all(|&part| part > 245));
        assert!(pixel(&prepared, 29, 8).iter().all(|&part| part < 10));
        assert!(!carries_metadata(&prepared.bytes));
        for cut in [20, 40, png.len() / 2, png.len() - 13] {
            assert_eq!(prepare(&png[..cut], &Limits::default()), Err(PhotoError::Truncated), "cut at {cut}");
        }
        let mut broken = png;
        let middle = broken.len() / 2;
        broken[middle] ^= 0x55;
        assert_eq!(prepare(&broken, &Limits::default()), Err(PhotoError::Broken));
    }

    const RED: [u8; 3] = [200, 40, 40];
    const BLUE: [u8; 3] = [40, 40, 200];
    const GREEN: [u8; 3] = [40, 160, 40];
    const WHITE: [u8; 3] = [255; 3];

    /// A photo that another program made, by its name, and the colours of what was drawn red, blue and green.
    struct Foreign {
        name: &'static str,
        bytes: &'static [u8],
        colours: [[u8; 3]; 3],
        turned: Turned,
    }

    enum Turned {
        Not,
        RightQuarter,
        Half,
        LeftQuarter,
    }

    impl Foreign {
        const fn of(name: &'static str, bytes: &'static [u8], colours: [[u8; 3]; 3]) -> Self {
            Self { name, bytes, colours, turned: Turned::Not }
        }

        const fn turned(self, turned: Turned) -> Self {
            Self { turned, ..self }
        }

        /// Where a point of the picture of 40 by 24 is, once it is upright.
        const fn upright(&self, (x, y): (u32, u32)) -> (u32, u32) {
            match self.turned {
                Turned::Not => (x, y),
                Turned::RightQuarter => (23 - y, x),
                Turned::Half => (39 - x, 23 - y),
                Turned::LeftQuarter => (y, 39 - x),
            }
        }
    }

    /// The photos of `fixtures/photos`; `make.py` there says how each was made.
    macro_rules! foreign {
        ($name:literal, $colours:expr) => {
            Foreign::of($name, include_bytes!(concat!("fixtures/photos/", $name)), $colours)
        };
    }

    #[test]
    fn a_photo_of_any_common_kind_whoever_wrote_it_is_taken_with_its_colours_and_nothing_else() {
        let seen = [RED, BLUE, GREEN];
        let greys = [[88; 3], [58; 3], [110; 3]];
        for photo in [
            foreign!("rgb-16-bit.png", seen),
            foreign!("rgba-16-bit.png", [RED, WHITE, WHITE]),
            foreign!("grey.png", greys),
            foreign!("grey-16-bit.png", greys),
            foreign!("grey-alpha.png", [greys[0], WHITE, WHITE]),
            foreign!("palette.png", [RED, BLUE, WHITE]),
            foreign!("palette-2-bit.png", seen),
            foreign!("one-bit.png", [[0; 3], WHITE, WHITE]),
            foreign!("rgb-keyed.png", [RED, BLUE, WHITE]),
            foreign!("interlaced.png", seen),
            foreign!("exif-xmp.png", seen).turned(Turned::RightQuarter),
            foreign!("baseline-4-2-0.jpg", seen),
            foreign!("progressive.jpg", seen),
            foreign!("grey.jpg", greys),
            foreign!("restarts.jpg", seen),
            foreign!("adobe-rgb.jpg", seen),
            foreign!("adobe-cmyk.jpg", seen),
            foreign!("adobe-ycck.jpg", seen),
            foreign!("exif-big-endian.jpg", seen).turned(Turned::Half),
            foreign!("exif-little-endian.jpg", seen).turned(Turned::LeftQuarter),
        ] {
            let name = photo.name;
            let prepared = prepare(photo.bytes, &Limits::default()).unwrap_or_else(|error| panic!("{name}: {error}"));
            let size = match photo.turned {
                Turned::Not | Turned::Half => (40, 24),
                Turned::RightQuarter | Turned::LeftQuarter => (24, 40),
            };
            assert_eq!((prepared.width, prepared.height), size, "{name}");
            assert_eq!(jpeg_dimensions(&prepared.bytes), Some(size), "{name}");
            assert!(!carries_metadata(&prepared.bytes), "{name}");
            for (point, expected) in [(10, 12), (30, 5), (30, 19)].into_iter().zip(photo.colours) {
                let (x, y) = photo.upright(point);
                let found = pixel(&prepared, x, y);
                let is_near = found.iter().zip(expected).all(|(part, expected)| part.abs_diff(expected) <= 12);
                assert!(is_near, "{name} has {found:?} at {x}, {y} where {expected:?} was drawn");
            }
        }
    }

    #[test]
    fn whatever_is_refused_says_what_to_do() {
        let ordinary = include_bytes!("fixtures/photos/baseline-4-2-0.jpg");
        let frame = ordinary.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
        // The marker says arithmetic codes; 12 bits to a sample.
        for (at, other) in [(1, 0xc9), (4, 12)] {
            let mut rare = ordinary.to_vec();
            rare[frame + at] = other;
            assert_eq!(prepare(&rare, &Limits::default()), Err(PhotoError::Unsupported));
        }
        let errors = [
            PhotoError::NotAPhoto,
            PhotoError::Heic,
            PhotoError::TooLong { bytes: 2, limit: 1 },
            PhotoError::TooLarge { width: 2, height: 1 },
            PhotoError::Truncated,
            PhotoError::Unsupported,
            PhotoError::Broken,
        ];
        for error in errors {
            let said = error.to_string();
            assert!(
                said.split_once(": ")
                    .is_some_and(|(_, what_to_do)| what_to_do.contains("save") || what_to_do.contains("take it again")),
                "{said}"
            );
        }
    }

    #[test]
    fn a_bomb_is_refused_by_its_header() {
        let bomb = png_header(50_000, 50_000);
        let refused = Err(PhotoError::TooLarge { width: 50_000, height: 50_000 });
        assert_eq!(prepare(&bomb, &Limits::default()), refused);
        // Within both sides, over the pixels; and within the pixels, over the memory.
        let refused = Err(PhotoError::TooLarge { width: 19_000, height: 19_000 });
        assert_eq!(prepare(&png_header(19_000, 19_000), &Limits::default()), refused);
        let small = Limits { memory: 1000, ..Limits::default() };
        assert!(matches!(prepare(&red_and_blue(64, 64), &small), Err(PhotoError::TooLarge { .. })));
        let long = Limits { bytes: 10, ..Limits::default() };
        assert!(matches!(prepare(&bomb, &long), Err(PhotoError::TooLong { limit: 10, .. })));
    }

    #[test]
    fn half_a_jpeg_is_truncated_and_never_half_a_photo() {
        let jpeg = red_and_blue(64, 64);
        for cut in [4, jpeg.len() / 4, jpeg.len() / 2, jpeg.len() - 2, jpeg.len() - 1] {
            assert_eq!(prepare(&jpeg[..cut], &Limits::default()), Err(PhotoError::Truncated), "cut at {cut}");
        }
    }

    #[test]
    fn what_is_no_photo_says_what_it_is() {
        let heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic";
        assert_eq!(prepare(heic, &Limits::default()), Err(PhotoError::Heic));
        for other in [&b""[..], b"Dear Sir", b"%PDF-1.7", b"GIF89a", b"\xff\xd8", b"\0\0\0\x18ftypmp42", &[0; 1000]] {
            assert_eq!(prepare(other, &Limits::default()), Err(PhotoError::NotAPhoto), "{other:?}");
        }
        assert_eq!(prepare(b"\xff\xd8\xff\xd9", &Limits::default()), Err(PhotoError::Broken));
    }

    #[test]
    fn flipped_bytes_are_a_photo_or_a_typed_error_and_never_a_panic() {
        let jpeg = with_exif(&red_and_blue(48, 48), 3);
        for at in 0..jpeg.len() {
            let mut flipped = jpeg.clone();
            flipped[at] ^= 0xff;
            if let Ok(prepared) = prepare(&flipped, &Limits { pixels: 1_000_000, ..Limits::default() }) {
                assert!(!carries_metadata(&prepared.bytes), "byte {at}");
            }
        }
    }
}
