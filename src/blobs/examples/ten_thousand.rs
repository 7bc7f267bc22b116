//! What keeping a mailbox costs: 10,000 mails of 30 kB, or of as many bytes as are named, in batches of 200, each batch flushed, then all of
//! them verified.
//! `cargo build --release -p twofold-blobs --example ten_thousand`, then
//! `/usr/bin/time -f '%U %S %e s, %M kB' target/release/examples/ten_thousand DIR [BYTES]`; DIR must not be there yet.

use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use std::time::Instant;
use twofold_blobs::{Result, Store};

const MAILS: u64 = 10_000;

fn main() -> Result<()> {
    let Some(dir) = std::env::args_os().nth(1) else {
        println!("the folder to make is missing");
        return Ok(());
    };
    let size = std::env::args().nth(2).and_then(|bytes| bytes.parse().ok()).unwrap_or(30_000);
    let store = Store::open(dir.as_ref())?;
    let mut random = SmallRng::seed_from_u64(1);
    let mut hashes = Vec::new();
    let (start, mut making) = (Instant::now(), std::time::Duration::ZERO);
    for n in 0..MAILS {
        let made = Instant::now();
        let mail = mail(n, size, &mut random);
        making += made.elapsed();
        hashes.push(store.put(&mail[..])?.hash);
        if n % 200 == 199 {
            store.flush()?;
        }
    }
    let putting = start.elapsed() - making;
    let start = Instant::now();
    for hash in &hashes {
        store.verify(hash)?;
    }
    println!("made in {making:.2?}, put in {putting:.2?}, verified in {:.2?}, {:?}", start.elapsed(), store.usage()?);
    Ok(())
}

/// Words that repeat, and an attachment that does not.
fn mail(n: u64, size: usize, random: &mut SmallRng) -> Vec<u8> {
    const WORDS: [&str; 8] = ["meeting", "tomorrow", "the", "report", "of", "attached", "please", "regards"];
    let mut mail = format!("Message-ID: <{n}@example.org>\r\nSubject: {n}\r\n\r\n").into_bytes();
    while mail.len() < size * 3 / 4 {
        mail.extend_from_slice(WORDS[random.random_range(0..WORDS.len())].as_bytes());
        mail.push(b' ');
    }
    while mail.len() < size {
        mail.push(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[random.random_range(0..64)]);
    }
    mail
}
