//! One column of many changes, so laid out that what repeats lies together.

use std::borrow::Cow;

use super::number::{Bytes, size};
use super::{BadPack, PackLimits};

/// What stands once for a run of changes.
const RUNS: u8 = 0;
/// What begins like the one before it: how much of it, how much follows, and what follows.
const LIKE: u8 = 1;

/// Writes the column's data of each change that has it, in the shorter way.
pub(super) fn write(bytes: &mut Vec<u8>, data: &[&[u8]]) {
    let (runs, like) = (runs(data), like(data));
    let (way, data) = if runs.len() <= like.len() { (RUNS, runs) } else { (LIKE, like) };
    bytes.push(way);
    bytes.extend_from_slice(&data);
}

fn runs(data: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for run in data.chunk_by(|one, next| one == next) {
        size(&mut bytes, run.len());
        size(&mut bytes, run[0].len());
        bytes.extend_from_slice(run[0]);
    }
    bytes
}

fn like(data: &[&[u8]]) -> Vec<u8> {
    let (mut shared, mut lengths, mut rest) = (Vec::new(), Vec::new(), Vec::new());
    let mut before: &[u8] = &[];
    for one in data {
        let same = one.iter().zip(before).take_while(|(one, before)| one == before).count();
        size(&mut shared, same);
        size(&mut lengths, one.len() - same);
        rest.extend_from_slice(&one[same..]);
        before = one;
    }
    [shared, lengths, rest].concat()
}

/// Reads what [`write`] wrote of `count` changes; `budget` is how many bytes may still come out.
pub(super) fn read<'b>(
    bytes: &mut Bytes<'b>,
    count: usize,
    (budget, limits): (&mut usize, PackLimits),
) -> Result<Vec<Cow<'b, [u8]>>, BadPack> {
    let mut spend = |bytes: Option<usize>| {
        *budget = bytes.and_then(|bytes| budget.checked_sub(bytes)).ok_or(BadPack::over(limits))?;
        Ok(())
    };
    match bytes.byte().ok_or(BadPack::Damaged)? {
        RUNS => {
            let mut data = Vec::new();
            while data.len() < count {
                let run = bytes.size().filter(|run| (1..=count - data.len()).contains(run));
                let (run, one) = run.zip(bytes.counted()).ok_or(BadPack::Damaged)?;
                spend(one.len().checked_mul(run))?;
                data.extend(std::iter::repeat_n(Cow::Borrowed(one), run));
            }
            Ok(data)
        }
        LIKE => {
            let mut sizes = || (0..count).map(|_| bytes.size()).collect::<Option<Vec<_>>>().ok_or(BadPack::Damaged);
            let (shared, lengths) = (sizes()?, sizes()?);
            let mut data: Vec<Cow<'b, [u8]>> = Vec::with_capacity(count);
            for (shared, length) in shared.into_iter().zip(lengths) {
                let rest = bytes.take(length).ok_or(BadPack::Damaged)?;
                spend(shared.checked_add(length))?;
                let before = data.last().map_or(&[][..], |before| before).get(..shared).ok_or(BadPack::Damaged)?;
                data.push(if shared == 0 { Cow::Borrowed(rest) } else { Cow::Owned([before, rest].concat()) });
            }
            Ok(data)
        }
        _ => Err(BadPack::Damaged),
    }
}
