//! What others named, and moments, as they stand in the page.

use std::fmt;

/// Text that others wrote: nothing in it is markup, in an element or in an attribute between quotation marks.
pub struct Said<'a>(pub &'a str);

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                // No browser shows these, and HTML has no place for them.
                c if c.is_control() && c != '\n' && c != '\t' => f.write_str("\u{fffd}")?,
                c => write!(f, "{c}")?,
            }
        }
        Ok(())
    }
}

/// A name that others gave: in an order of writing of its own, so that one that is written from the right turns nothing else around.
pub struct Name<'a>(pub &'a str);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<bdi>{}</bdi>", Said(self.0))
    }
}

/// A moment, as how long it is ago or ahead; the clock's words stand beside it as a title.
pub struct Moment {
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// Now.
    pub now_ms: i64,
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = chrono::DateTime::from_timestamp_millis(self.at_ms).unwrap_or_default();
        let (machine, people) = (at.format("%Y-%m-%dT%H:%M:%SZ"), at.format("%Y-%m-%d %H:%M:%S UTC"));
        write!(f, "<time datetime=\"{machine}\" title=\"{people}\">")?;
        let span = span((self.now_ms - self.at_ms).unsigned_abs());
        match self.at_ms <= self.now_ms {
            true => write!(f, "{span} ago</time>"),
            false => write!(f, "in {span}</time>"),
        }
    }
}

/// A length of time in the largest unit that fits twice, but for seconds.
pub fn span(ms: u64) -> String {
    let s = ms / 1000;
    match s {
        0..120 => format!("{s} s"),
        120..7_200 => format!("{} min", s / 60),
        7_200..172_800 => format!("{} h", s / 3_600),
        _ => format!("{} days", s / 86_400),
    }
}

/// A number with a blank between thousands, which no language reads as a point.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

/// `900 bytes`, `8.5 kB`, `85 MB`: powers of a thousand, two digits that say something.
pub fn bytes(number: u64) -> String {
    if number < 1000 {
        return format!("{number} bytes");
    }
    let mut tenths = number.saturating_mul(10);
    for unit in ["kB", "MB", "GB"] {
        tenths = tenths.div_ceil(1000);
        match tenths {
            0..100 => return format!("{}.{} {unit}", tenths / 10, tenths % 10),
            100..10_000 => return format!("{} {unit}", tenths / 10),
            _ => {}
        }
    }
    format!("{} TB", tenths.div_ceil(10_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_others_wrote_is_markup() {
        let text = "<script>alert(\"1\")</script> & 'so'\u{0}";
        let said = Said(text).to_string();
        assert_eq!(said, "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &#39;so&#39;\u{fffd}");
        assert_eq!(Name("a<b").to_string(), "<bdi>a&lt;b</bdi>");
    }

    #[test]
    fn moments_and_amounts_are_told_as_people_tell_them() {
        let at = |at_ms| Moment { at_ms, now_ms: 86_400_000 }.to_string();
        assert!(at(86_400_000 - 90_000).ends_with(">90 s ago</time>"));
        assert!(at(86_400_000 + 600_000).ends_with(">in 10 min</time>"));
        assert!(at(0).starts_with("<time datetime=\"1970-01-01T00:00:00Z\" title=\"1970-01-01 00:00:00 UTC\">24 h"));
        assert_eq!(span(3 * 86_400_000), "3 days");
        assert_eq!((count(999), count(12_345_678)), ("999".into(), "12\u{202f}345\u{202f}678".into()));
        assert_eq!(
            (bytes(999), bytes(85_000_000), bytes(2_500_000_000)),
            ("999 bytes".into(), "85 MB".into(), "2.5 GB".into())
        );
    }
}
