//! The name of a message's file: `BASE:2,FLAGS`. Bytes, because nobody promises UTF-8.

use crate::names;
use std::collections::BTreeSet;
use twofold_model::Uid;

/// How the identity of a base that we made ends.
const OWN: &str = ".twofold";

/// A UID longer than this is hashed, so that flags and what programs add still fit.
const LONGEST_STEM: usize = 120;

/// What stands between base and flags where the file system allows it.
pub const SEPARATOR: u8 = b':';

/// A file name, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileName {
    /// What the file keeps for life.
    pub base: Vec<u8>,
    /// The flags: letters in ASCII order, each once, and whatever else stood there.
    pub flags: BTreeSet<u8>,
}

impl FileName {
    /// Takes a name apart. `separator` is what this folder uses (`:`, or `;` or `!` where a file system knows no `:`). Without flags of
    /// the second kind (`2,`) the whole name is the base.
    pub fn parse(name: &[u8], separator: u8) -> FileName {
        let (base, flags) = split(name, separator);
        FileName { base: base.to_owned(), flags: flags.iter().copied().collect() }
    }

    /// The name that a file of this base and these flags has in `cur`.
    pub fn in_cur(&self, separator: u8) -> Vec<u8> {
        let flags: Vec<u8> = self.flags.iter().copied().collect();
        [&self.base[..], &[separator], b"2,", &flags].concat()
    }
}

/// Base and flags of a name, as they stand there ([`FileName::parse`]).
pub fn split(name: &[u8], separator: u8) -> (&[u8], &[u8]) {
    let info = name.iter().rposition(|b| *b == separator).filter(|at| name[at + 1..].starts_with(b"2,"));
    info.map_or((name, &[]), |at| (&name[..at], &name[at + 3..]))
}

/// The base of a message that we write: when it was received, in seconds since 1970, the message's [`stem`], and its size in bytes, which
/// Dovecot then need not find out.
pub fn own_base(received_s: i64, stem: &str, size: u64) -> Vec<u8> {
    format!("{}.{stem}{OWN},S={size}", received_s.max(0)).into_bytes()
}

/// The base of a draft whose text changed: the same message, and another file to every program. `state` tells the texts apart.
pub fn draft_base(base: &[u8], size: u64, state: &str) -> Vec<u8> {
    [identity(base), format!(",S={size},V={state}").as_bytes()].concat()
}

/// What stands for a UID in a base: the UID itself where that is safe and short, else its hash.
pub fn stem(uid: &Uid) -> String {
    let stem = names::file_stem(uid);
    if stem.len() <= LONGEST_STEM { stem } else { blake3::hash(uid.as_str().as_bytes()).to_hex()[..32].to_owned() }
}

/// The UID of the message with this base: what we put there, or the identity of a base that another program made.
pub fn uid_of(base: &[u8]) -> Uid {
    let identity = identity(base);
    let own = || {
        let text = std::str::from_utf8(identity).ok()?;
        let (seconds, uid) = text.strip_suffix(OWN)?.split_once('.')?;
        let is_time = !seconds.is_empty() && seconds.bytes().all(|b| b.is_ascii_digit());
        (is_time && !uid.is_empty()).then(|| Uid::from(uid))
    };
    own().unwrap_or_else(|| Uid(names::join(&[identity])))
}

/// What tells a message from others, without what programs add to its base: mbsync's `,U=`, which it numbers anew, offlineimap's `,FMD5=`,
/// Dovecot's `,S=` and `,W=`. For comparing, never for writing. A comma that begins nothing of that kind (in a name that a person gave) is
/// one of its letters.
pub fn identity(base: &[u8]) -> &[u8] {
    let is_added = |field: &[u8]| {
        let name = field.iter().take_while(|b| b.is_ascii_uppercase() || b.is_ascii_digit()).count();
        field.first().is_some_and(u8::is_ascii_uppercase) && field.get(name) == Some(&b'=')
    };
    let mut end = base.len();
    while let Some(comma) =
        base[..end].iter().rposition(|b| *b == b',').filter(|at| *at > 0 && is_added(&base[at + 1..end]))
    {
        end = comma;
    }
    &base[..end]
}

/// The same base in another folder. mbsync's `,U=` is a number of one folder, and would be another message's in the next: mbsync then
/// refuses that folder.
pub fn base_elsewhere(base: &[u8]) -> Vec<u8> {
    let is_number = |field: &&[u8]| field.strip_prefix(b"U=").is_some_and(|n| n.iter().all(u8::is_ascii_digit));
    let (identity, added) = base.split_at(identity(base).len());
    let kept = added.split(|b| *b == b',').skip(1).filter(|field| !is_number(field));
    [identity].into_iter().chain(kept.flat_map(|field| [&b","[..], field])).collect::<Vec<_>>().concat()
}

/// A base under which what stands in a file is a message of its own: another identity, and no word of how long the file was.
pub fn base_apart(base: &[u8]) -> Vec<u8> {
    let identity = identity(base);
    [identity.strip_suffix(OWN.as_bytes()).unwrap_or(identity), b".kept"].concat()
}

/// A base with a number behind its identity: the first has none.
pub fn numbered(base: &[u8], ordinal: u32) -> Vec<u8> {
    if ordinal < 2 {
        return base.to_owned();
    }
    let identity = identity(base);
    [identity, format!(".{ordinal}").as_bytes(), &base[identity.len()..]].concat()
}

/// How many bytes a file had under this base when it was written (`,S=`): ours in [`own_base`] or [`draft_base`], or as another program says.
/// A Dovecot that compresses says how large the message was before.
pub fn said_size(base: &[u8]) -> Option<u64> {
    let size = base.split(|b| *b == b',').skip(1).find_map(|field| field.strip_prefix(b"S="))?;
    std::str::from_utf8(size).ok()?.parse().ok()
}

/// Whether we wrote the file of this base.
pub fn is_own(base: &[u8]) -> bool {
    identity(base).ends_with(OWN.as_bytes()) || draft_state(base).is_some()
}

/// Which state of a draft this is, where we wrote it anew ([`draft_base`]).
pub fn draft_state(base: &[u8]) -> Option<&[u8]> {
    base.split(|b| *b == b',').skip(1).find_map(|field| field.strip_prefix(b"V="))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(name: &str) -> FileName {
        FileName::parse(name.as_bytes(), SEPARATOR)
    }

    #[test]
    fn a_name_in_the_usual_order_is_written_as_it_was() {
        for name in [
            "1700.M1P2.host:2,",
            "1700.M1P2.host:2,FRS",
            "1700.M1P2.host,U=7:2,S",
            "1700_0.5.host,U=1,FMD5=0f0f:2,DFabz",
            "a:b:2,S",
        ] {
            assert_eq!(parse(name).in_cur(SEPARATOR), name.as_bytes(), "{name}");
        }
        assert_eq!(FileName::parse(b"x\xff;2,S", b';').in_cur(b';'), b"x\xff;2,S");
    }

    #[test]
    fn flags_come_sorted_and_once_and_unknown_ones_stay() {
        assert_eq!(parse("a:2,SRFSbX9").in_cur(SEPARATOR), b"a:2,9FRSXb");
    }

    #[test]
    fn without_flags_of_the_second_kind_the_whole_name_is_the_base() {
        for name in ["a", "a,U=3", "a:1,extra", "a:", "a;2,S"] {
            let parsed = parse(name);
            assert_eq!((&parsed.base[..], parsed.flags.len()), (name.as_bytes(), 0), "{name}");
        }
    }

    #[test]
    fn what_programs_add_to_a_base_is_no_part_of_the_identity() {
        for name in ["1.h", "1.h,U=4:2,S", "1.h,U=5,FMD5=00:2,", "1.h,S=10,W=12"] {
            assert_eq!(identity(&parse(name).base), b"1.h", "{name}");
        }
        assert_eq!(identity(b",U=4"), b",U=4");
        for name in ["Report, May.eml", "1.h,S=9, copy", "a,b", "1.h,=4", "1.h,u=4"] {
            assert_eq!(identity(name.as_bytes()), name.as_bytes(), "a name that somebody gave");
            let rewritten = draft_base(name.as_bytes(), 7, "0123abcd");
            assert_eq!(identity(&rewritten), name.as_bytes(), "and what we add to it is no part of it");
            assert_eq!(draft_base(&rewritten, 9, "4567abcd"), draft_base(name.as_bytes(), 9, "4567abcd"));
        }
    }

    #[test]
    fn a_number_of_one_folder_is_left_behind_in_it() {
        for (base, elsewhere) in [
            ("1.h", "1.h"),
            ("1.h,U=4", "1.h"),
            ("1.h,S=9,U=12,FMD5=00", "1.h,S=9,FMD5=00"),
            (",U=4", ",U=4"),
            ("1.h,U=x,W=1", "1.h,U=x,W=1"),
            ("a, b,U=3", "a, b"),
        ] {
            assert_eq!(base_elsewhere(base.as_bytes()), elsewhere.as_bytes(), "{base}");
        }
    }

    #[test]
    fn a_base_of_ours_leads_back_to_its_uid() {
        let base = own_base(1_700_000_000, &stem(&Uid::from("g18c0ffee")), 99);
        assert_eq!(base, b"1700000000.g18c0ffee.twofold,S=99");
        assert_eq!(uid_of(&base), Uid::from("g18c0ffee"));
        assert_eq!(uid_of(b"1700000000.g18c0ffee.twofold,S=99,U=3"), Uid::from("g18c0ffee"));
        let again = draft_base(&base, 99, "ab12");
        assert_eq!(again, b"1700000000.g18c0ffee.twofold,S=99,V=ab12");
        assert_eq!(draft_base(&draft_base(b"1.h,U=3", 1, "a"), 2, "b"), b"1.h,S=2,V=b");
        assert_eq!([draft_state(&again), draft_state(&base)], [Some(&b"ab12"[..]), None]);
        // A UID that another program's base gave.
        assert_eq!(uid_of(&own_base(5, &stem(&Uid::from("1700.M1P2.host")), 1)), Uid::from("1700.M1P2.host"));
    }

    #[test]
    fn a_message_set_apart_is_another_and_of_any_length() {
        for base in ["1700000000.g18c0ffee.twofold,S=99", "1700.M1P2.host,S=2,W=3", "1.h,S=2,V=b"] {
            let apart = base_apart(base.as_bytes());
            assert_ne!(uid_of(&apart), uid_of(base.as_bytes()), "{base}");
            assert_eq!((said_size(&apart), is_own(&apart)), (None, false), "{base}");
        }
    }

    #[test]
    fn how_many_bytes_were_written_and_by_whom_stands_in_the_base() {
        for (base, size, is_ours) in [
            ("1700000000.g18c0ffee.twofold,S=99", Some(99), true),
            ("1700000000.g18c0ffee.twofold,U=3,S=99", Some(99), true),
            ("1.h,S=2,V=b", Some(2), true),
            ("1.h,S=2,W=3", Some(2), false),
            ("1700000000.g18c0ffee.twofold", None, true),
            ("1700000000.g18c0ffee.twofold,S=x", None, true),
        ] {
            assert_eq!((said_size(base.as_bytes()), is_own(base.as_bytes())), (size, is_ours), "{base}");
        }
    }

    #[test]
    fn a_base_of_another_program_is_its_own_uid() {
        for (base, uid) in [
            ("1700.M1P2.host,U=4", "1700.M1P2.host"),
            ("x.twofold", "x.twofold"),
            ("1..twofold", "1..twofold"),
            (".twofold", ".twofold"),
        ] {
            assert_eq!(uid_of(base.as_bytes()), Uid::from(uid), "{base}");
        }
        assert_eq!(uid_of(b"1.\xff,S=1"), Uid::from("/1.%FF"));
        assert_ne!(uid_of(b"1.\xff"), uid_of(b"1.\xfe"));
    }

    #[test]
    fn any_uid_makes_a_name_that_fits() {
        for uid in ["", "a/b", "a:2,S", "a,b", &"x".repeat(150), &"x".repeat(300)] {
            let base = own_base(i64::MAX, &stem(&Uid::from(uid)), u64::MAX);
            assert!(base.len() < 220 && !base.iter().any(|b| b"/:\0".contains(b)), "{uid}");
        }
        assert_ne!(stem(&Uid::from("a/b")), stem(&Uid::from("a/c")));
    }

    proptest::proptest! {
        #[test]
        fn any_name_keeps_its_bytes_but_for_the_order_of_flags(name in proptest::collection::vec(1_u8..=255, 1..40)) {
            let parsed = FileName::parse(&name, SEPARATOR);
            let again = FileName::parse(&parsed.in_cur(SEPARATOR), SEPARATOR);
            proptest::prop_assert_eq!(&again, &parsed);
            proptest::prop_assert!(name.starts_with(&parsed.base));
        }
    }
}
