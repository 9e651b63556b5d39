//! The generated house: two pictures as a telephone would take them, with the home's position in them.

use image::{ImageFormat, Rgb, RgbImage};

/// The position that the pictures carry and that must never leave the device: degrees as the EXIF has them.
pub(super) const GPS: &[u8] = b"51.5586N 0.2636W";

/// A door in a wall, its width marked.
pub(super) fn door() -> Result<Vec<u8>, image::ImageError> {
    picture(|x, y| match (x, y) {
        (500..1100, 250..1200) => Rgb([139, 94, 60]),
        (480..500 | 1100..1120, 230..1200) | (480..1120, 230..250) => Rgb([240, 240, 235]),
        (1040..1070, 700..720) => Rgb([200, 170, 60]),
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

/// The picture with an EXIF block of camera and position behind its first marker, as telephones write them.
fn with_position(jpeg: &[u8]) -> Vec<u8> {
    // Big-endian TIFF, one entry: ImageDescription (0x010e), ASCII, its text at offset 26.
    let mut tiff = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x0e\0\x02".to_vec();
    tiff.extend(u32::try_from(GPS.len() + 1).unwrap_or(0).to_be_bytes());
    tiff.extend(26_u32.to_be_bytes());
    tiff.extend([0; 4]);
    tiff.extend(GPS);
    tiff.push(0);
    let mut with = jpeg[..2].to_vec();
    with.extend([0xff, 0xe1]);
    with.extend(u16::try_from(tiff.len() + 8).unwrap_or(0).to_be_bytes());
    with.extend(b"Exif\0\0");
    with.extend(tiff);
    with.extend(&jpeg[2..]);
    with
}
