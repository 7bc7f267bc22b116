//! Descriptions in HTML and what they say as plain text, so that a text and its HTML twin can be told apart from two texts.

/// The text of an HTML document or fragment: tags, comments, styles and scripts left out, blocks and breaks as line ends, entities
/// undone. Not a renderer: what it leaves is only ever compared or shown as plain text.
pub fn text_of(html: &str) -> String {
    let mut text = String::with_capacity(html.len() / 2);
    let mut rest = html;
    while let Some(at) = rest.find(['<', '&']) {
        push_words(&mut text, &rest[..at]);
        rest = &rest[at..];
        rest = if rest.starts_with('<') { tag(&mut text, rest) } else { entity(&mut text, rest) };
    }
    push_words(&mut text, rest);
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    // More than one empty line says no more than one.
    let mut out = String::with_capacity(text.len());
    let mut empty = 0;
    for line in lines {
        empty = if line.is_empty() { empty + 1 } else { 0 };
        if empty <= 1 {
            out.push_str(line);
            out.push('\n');
        }
    }
    out.trim().to_owned()
}

/// Whether a text and an HTML document say the same, whatever blanks stand between their words.
pub fn is_twin(text: &str, html: &str) -> bool {
    let plain = text_of(html);
    text.split_whitespace().eq(plain.split_whitespace())
}

/// Adds text as HTML shows it: blanks of any kind as one.
fn push_words(text: &mut String, part: &str) {
    for c in part.chars() {
        match c {
            ' ' | '\t' | '\r' | '\n' if text.is_empty() || text.ends_with([' ', '\n']) => {}
            ' ' | '\t' | '\r' | '\n' => text.push(' '),
            c => text.push(c),
        }
    }
}

/// Tags at which a line ends.
const BLOCKS: [&str; 14] =
    ["br", "p", "div", "tr", "li", "ul", "ol", "table", "h1", "h2", "h3", "h4", "hr", "blockquote"];

/// Passes over what begins with `<`; returns the rest.
fn tag<'t>(text: &mut String, from: &'t str) -> &'t str {
    if from.starts_with("<!--") {
        return from.find("-->").map_or("", |end| &from[end + 3..]);
    }
    let inner = &from[1..];
    if !inner.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?')) {
        text.push('<');
        return inner;
    }
    let Some(end) = inner.find('>') else { return "" };
    let name = inner[..end].trim_start_matches('/');
    let name: String = name.chars().take_while(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let rest = &inner[end + 1..];
    if BLOCKS.contains(&name.as_str()) && !text.is_empty() {
        text.push('\n');
    }
    if matches!(name.as_str(), "style" | "script" | "title" | "head") && !inner.starts_with('/') {
        let close = format!("</{name}");
        let at = rest
            .char_indices()
            .map(|(at, _)| at)
            .find(|at| rest.get(*at..*at + close.len()).is_some_and(|found| found.eq_ignore_ascii_case(&close)));
        return at.map_or("", |at| &rest[at..]);
    }
    rest
}

/// Undoes an entity; one that is not known stays as it stands.
fn entity<'t>(text: &mut String, from: &'t str) -> &'t str {
    let end = from.char_indices().take(12).find(|(_, c)| *c == ';').map(|(at, _)| at);
    let Some(end) = end else {
        text.push('&');
        return &from[1..];
    };
    let name = &from[1..end];
    let number = |digits: &str, radix| u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
    let plain = match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some(' '),
        name => match name.strip_prefix('#') {
            Some(hex) if hex.starts_with(['x', 'X']) => number(&hex[1..], 16),
            Some(digits) => number(digits, 10),
            None => None,
        },
    };
    match plain {
        Some(c) => {
            text.push(c);
            &from[end + 1..]
        }
        None => {
            text.push('&');
            &from[1..]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_is_read_as_the_text_that_it_shows() {
        for (html, text) in [
            ("<p>One<br>two &amp; three</p><p>four</p>", "One\ntwo & three\n\nfour"),
            ("<html><head><style>p {}</style><title>x</title></head><body>\r\n  A   b\n</body></html>", "A b"),
            ("a<!-- <b> -->b &#228;&#xE4;&nbsp;&bogus; &", "ab \u{e4}\u{e4} &bogus; &"),
            ("1 < 2 <unclosed", "1 < 2"),
            ("<script>never</scrip", ""),
            ("", ""),
        ] {
            assert_eq!(text_of(html), text, "{html}");
        }
        assert!(is_twin("One\n\ntwo", "<p>One</p><p>two</p>") && !is_twin("One", "<p>Two</p>"));
    }
}
