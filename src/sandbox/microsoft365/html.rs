//! Bodies: kept as HTML whatever was sent, wrapped anew, and shown as text when that is asked for.

use serde_json::{Value, json};

const HEAD: &str = "<html>\r\n<head>\r\n<meta http-equiv=\"Content-Type\" content=\"text/html; charset=utf-8\">\r\n";

/// A body as it is kept and shown.
pub(super) fn kept(is_html: bool, content: &str) -> Value {
    let content = match (content.is_empty(), is_html) {
        (true, _) => String::new(),
        (_, true) => format!("{HEAD}</head>\r\n<body>\r\n{}\r\n</body>\r\n</html>\r\n", inside(content).trim()),
        (_, false) => format!(
            "{HEAD}<meta name=\"Generator\" content=\"Microsoft Exchange Server\">\r\n<!-- converted from text -->\r\n\
             <style><!-- .EmailQuote {{ margin-left: 1pt; padding-left: 4pt; border-left: #800000 2px solid; }} --></style>\
             </head>\r\n<body>\r\n<font size=\"2\"><span style=\"font-size:11pt;\"><div class=\"PlainText\">{}</div>\
             </span></font>\r\n</body>\r\n</html>\r\n",
            escaped(content).replace("\r\n", "\n").replace('\n', "<br>\r\n")
        ),
    };
    json!({ "contentType": "html", "content": content })
}

/// The body with something more at its end, as the service adds the way into an online meeting.
pub(super) fn with_more(body: &Value, more: &str) -> Value {
    let content = body["content"].as_str().unwrap_or_default();
    kept(true, &format!("{}{more}", inside(content).trim_end()))
}

/// What stands between `<body>` and `</body>`; all of it when there is none.
fn inside(html: &str) -> &str {
    let lower = html.to_ascii_lowercase();
    let begin = lower.find("<body").and_then(|at| lower[at..].find('>').map(|end| at + end + 1)).unwrap_or(0);
    let end = lower.rfind("</body>").filter(|end| *end >= begin).unwrap_or(html.len());
    &html[begin..end]
}

/// A kept body as text, its lines ended by CRLF.
pub(super) fn as_text(body: &Value) -> String {
    let content = body["content"].as_str().unwrap_or_default();
    let (mut text, mut rest) = (String::new(), inside(content));
    while let Some(at) = rest.find('<') {
        push(&mut text, &rest[..at]);
        let Some(end) = rest[at..].find('>') else {
            rest = "";
            break;
        };
        let tag = rest[at + 1..at + end].trim_end_matches('/').trim().to_ascii_lowercase();
        if matches!(tag.as_str(), "br" | "/p" | "/div" | "/li" | "/tr" | "/h1" | "/h2" | "/h3") {
            text.push_str("\r\n");
        }
        rest = &rest[at + end + 1..];
    }
    push(&mut text, rest);
    unescaped(text.trim_matches(['\r', '\n', ' '])) + if text.trim().is_empty() { "" } else { "\r\n" }
}

/// Adds the text between two tags: in HTML a line's end is a space, and at a line's beginning it is nothing.
fn push(text: &mut String, piece: &str) {
    let piece = piece.replace("\r\n", " ").replace(['\r', '\n', '\t'], " ");
    let piece = if text.is_empty() || text.ends_with('\n') { piece.trim_start() } else { &piece };
    text.push_str(piece);
}

/// The first 255 characters of the text.
pub(super) fn preview(body: &Value) -> String {
    as_text(body).trim_end().chars().take(255).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn unescaped(text: &str) -> String {
    text.replace("&nbsp;", " ")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&amp;", "&")
}
