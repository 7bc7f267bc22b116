//! The path of a mailbox as one text: its names, outermost first, with `/` between them. A `/` that belongs to a name is `\/`, and a
//! `\` is `\\`, so that every path has one text and no other path has the same.

/// The text of a path.
pub fn join<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut text = String::new();
    for (depth, name) in names.into_iter().enumerate() {
        if depth > 0 {
            text.push('/');
        }
        for c in name.chars() {
            if matches!(c, '/' | '\\') {
                text.push('\\');
            }
            text.push(c);
        }
    }
    text
}

/// The names of a path.
pub fn split(text: &str) -> Vec<String> {
    let mut names = vec![String::new()];
    let mut is_escaped = false;
    for c in text.chars() {
        match (c, is_escaped) {
            ('\\', false) => is_escaped = true,
            ('/', false) => names.push(String::new()),
            _ => {
                // There is always a last one.
                if let Some(name) = names.last_mut() {
                    name.push(c);
                }
                is_escaped = false;
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_has_one_text_that_leads_back() {
        for (names, text) in [
            (&["INBOX"][..], "INBOX"),
            (&["Work", "2026"], "Work/2026"),
            (&["R/D", "a\\b"], "R\\/D/a\\\\b"),
            (&["Bücher", "Ägypten"], "Bücher/Ägypten"),
            (&["a\\", "b"], "a\\\\/b"),
            (&["a/b"], "a\\/b"),
        ] {
            assert_eq!(join(names.iter().copied()), text);
            assert_eq!(split(text), names);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_names_come_back(names in proptest::collection::vec("[ab/\\\\]{1,4}", 1..4)) {
            let text = join(names.iter().map(String::as_str));
            proptest::prop_assert_eq!(split(&text), names);
        }
    }
}
