//! Whatever the bytes are, the lines put together are the file, and nothing panics.

mod common;

use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use twofold_model::contentline::File;
use twofold_model::vcard::{VcardLens, Version, check_whole};
use twofold_model::{Lens, Rendering};

/// Pieces that mean something to the reader.
const PIECES: [&[u8]; 24] = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\n ",
    b"\n\t",
    b"=\r\n",
    b"=\n",
    b";ENCODING=QUOTED-PRINTABLE:",
    b";ENCODING=b:",
    b"\"",
    b":",
    b";",
    b"BEGIN:VCARD\n",
    b"END:VCARD\n",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\xc3",
    b"\0",
    b"=C3",
    b"\\",
    b",",
    b"item1.",
    b"^n",
    b";TYPE=pref,x",
];

fn seeds() -> Vec<Vec<u8>> {
    let all = common::fixtures().into_iter().chain(common::corpus("vcf")).chain(common::corpus("ics"));
    // Small pieces keep the suite quick; a fault of cutting lines shows in two hundred bytes.
    all.flat_map(|(_, bytes)| bytes.chunks(240).take(4).map(<[u8]>::to_vec).collect::<Vec<_>>()).collect()
}

fn mutate(bytes: &mut Vec<u8>, random: &mut SmallRng) {
    for _ in 0..random.random_range(1..5) {
        let at = random.random_range(0..=bytes.len());
        let end = (at + random.random_range(0..8)).min(bytes.len());
        match random.random_range(0..5) {
            0 => drop(bytes.splice(at..at, PIECES[random.random_range(0..PIECES.len())].iter().copied())),
            1 => drop(bytes.drain(at..end)),
            2 => bytes.insert(at, random.random()),
            3 => bytes.truncate(at),
            _ => {
                let copy = bytes[at..end].to_vec();
                drop(bytes.splice(at..at, copy));
            }
        }
    }
}

#[test]
fn written_lines_are_the_bytes_that_were_read_in_200_000_mutants() {
    let count: u64 = std::env::var("TWOFOLD_MUTANTS").ok().and_then(|n| n.parse().ok()).unwrap_or(200_000);
    let seeds = seeds();
    let mut random = SmallRng::seed_from_u64(0x7e0_f01d);
    let mut cards = 0;
    for n in 0..count {
        let mut bytes = seeds[random.random_range(0..seeds.len())].clone();
        mutate(&mut bytes, &mut random);
        let Ok(file) = File::parse(bytes.clone()) else { continue };
        assert_eq!(file.write(), bytes, "mutant {n}");
        let lines: Vec<u8> = (0..file.len()).flat_map(|line| file.raw(line)).copied().collect();
        assert_eq!(lines, bytes, "mutant {n}: the lines are not the file");
        assert_eq!(file.edit().finish(), bytes, "mutant {n}: an edit of nothing");
        for line in 0..file.len() {
            let unfolded = file.unfolded(line);
            assert!(!unfolded.iter().any(|b| matches!(b, b'\r' | b'\n')), "mutant {n}: a line end in line {line}");
        }
        cards += u64::from(n % 8 == 0 && check_whole(&bytes).is_ok());
    }
    println!("{count} mutants, {cards} of those looked at are whole cards");
}

#[test]
fn mutants_of_whole_cards_never_panic_and_keep_the_laws() {
    let count: u64 = std::env::var("TWOFOLD_MUTANTS").ok().and_then(|n| n.parse().ok()).unwrap_or(200_000) / 50;
    let lens = VcardLens::new(Version::V3);
    let seeds: Vec<Vec<u8>> =
        common::fixtures().into_iter().map(|(_, b)| b).filter(|b| b.len() < 3_000 && check_whole(b).is_ok()).collect();
    let mut random = SmallRng::seed_from_u64(7);
    let mut read = 0;
    for n in 0..count {
        let mut bytes = seeds[random.random_range(0..seeds.len())].clone();
        mutate(&mut bytes, &mut random);
        let rendering = Rendering(bytes);
        let Ok(content) = lens.read(&rendering) else { continue };
        read += 1;
        let same = lens.write(Some(&rendering), &content, &common::identity()).unwrap();
        assert!(same == rendering, "mutant {n}: an edit of nothing");
        let version = if n % 2 == 0 { Version::V3 } else { Version::V4 };
        let fresh = VcardLens::new(version).write(None, &content, &common::identity()).unwrap();
        assert_eq!(
            lens.read(&fresh).unwrap(),
            content,
            "mutant {n}:\n{}",
            String::from_utf8_lossy(rendering.as_bytes())
        );
        let other = lens.read(&Rendering(seeds[n as usize % seeds.len()].clone())).unwrap();
        let changed = lens.write(Some(&rendering), &other, &common::identity()).unwrap();
        assert_eq!(
            lens.read(&changed).unwrap(),
            other,
            "mutant {n}:\n{}",
            String::from_utf8_lossy(rendering.as_bytes())
        );
    }
    assert!(read > count / 4, "{read} of {count}");
}
