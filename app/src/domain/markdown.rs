//! Markdown to HTML that is safe to put into a page: what a note's author writes never becomes markup of its own.
//!
//! Raw HTML is shown as text, links and images go to `http`, `https`, `mailto` (links only) or relative addresses,
//! and no inline style is written, so that the site's content security policy needs no exception.

use super::url::{self, Use};
use pulldown_cmark::{Alignment, CowStr, Event, LinkType, Options, Parser, Tag, TagEnd, html};
use std::fmt::{self, Write};

/// The most HTML that one text may become, in bytes. Past it the text is shown unformatted: a table's head can
/// otherwise ask for far more cells than were written.
pub const HTML_BYTES_MAX: usize = 2 * 1024 * 1024;

/// How much of a text is looked at for its excerpt, in bytes.
const EXCERPT_SOURCE_BYTES_MAX: usize = 4 * 1024;

/// The length of an excerpt, in characters.
pub const EXCERPT_CHARS_MAX: usize = 200;

/// Renders a text. The result is at most [`HTML_BYTES_MAX`] bytes for a text of at most a sixth of that.
#[must_use]
pub fn render(text: &str) -> String {
    let mut out = Bounded { html: String::with_capacity(text.len() + text.len() / 2), bytes_max: HTML_BYTES_MAX };
    match html::write_html_fmt(&mut out, Safe::new(text)) {
        Ok(()) => out.html,
        Err(fmt::Error) => format!("<pre>{}</pre>", url::escape(text)),
    }
}

/// The beginning of a text as plain words, for lists.
#[must_use]
pub fn excerpt(text: &str) -> String {
    let head = &text[..text.floor_char_boundary(EXCERPT_SOURCE_BYTES_MAX)];
    let mut words = Words::default();
    for event in Parser::new_ext(head, options()) {
        match event {
            Event::Text(text) | Event::Code(text) | Event::Html(text) | Event::InlineHtml(text) => words.push(&text),
            Event::SoftBreak | Event::HardBreak | Event::End(_) if !inline_end(&event) => words.space(),
            _ => {}
        }
        if words.full {
            break;
        }
    }
    words.text
}

/// Whether the event ends something inside a line, where no space belongs.
fn inline_end(event: &Event<'_>) -> bool {
    matches!(event, Event::End(TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough | TagEnd::Link))
}

/// Words joined by single spaces, up to [`EXCERPT_CHARS_MAX`] characters and a mark that there is more.
#[derive(Default)]
struct Words {
    text: String,
    chars: usize,
    space: bool,
    full: bool,
}

impl Words {
    const fn space(&mut self) {
        self.space = self.chars > 0;
    }

    fn push(&mut self, text: &str) {
        for char in text.chars() {
            if char.is_whitespace() || char.is_control() {
                self.space();
            } else if !self.full {
                self.chars += 1 + usize::from(self.space);
                self.full = self.chars > EXCERPT_CHARS_MAX;
                if self.full {
                    self.text.push('…');
                } else {
                    if std::mem::take(&mut self.space) {
                        self.text.push(' ');
                    }
                    self.text.push(char);
                }
            }
        }
    }
}

/// A string that refuses to grow past its limit.
struct Bounded {
    html: String,
    bytes_max: usize,
}

impl Write for Bounded {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        if self.html.len() + part.len() > self.bytes_max {
            return Err(fmt::Error);
        }
        self.html.push_str(part);
        Ok(())
    }
}

const fn options() -> Options {
    Options::ENABLE_TABLES.union(Options::ENABLE_STRIKETHROUGH).union(Options::ENABLE_TASKLISTS)
}

/// The parser's events with everything unsafe replaced.
struct Safe<'a> {
    events: Parser<'a>,
    /// Whether the link around us was written; links do not nest (CommonMark 0.31 section 6.3).
    link_written: bool,
}

impl<'a> Safe<'a> {
    fn new(text: &'a str) -> Self {
        Self { events: Parser::new_ext(text, options()), link_written: false }
    }

    fn link(&mut self, kind: LinkType, dest: &str, title: &str) -> Event<'a> {
        let dest = if kind == LinkType::Email { format!("mailto:{dest}") } else { dest.to_owned() };
        let href = url::safe(&dest, Use::Link);
        self.link_written = href.is_some();
        match href {
            Some(href) => Event::InlineHtml(
                format!(r#"<a href="{href}"{} rel="nofollow noopener noreferrer">"#, title_attribute(title)).into(),
            ),
            None => nothing(),
        }
    }

    /// Reads on to the image's end and writes it whole; an unsafe address leaves the alternative text.
    fn image(&mut self, dest: &str, title: &str) -> Event<'a> {
        let mut alt = String::new();
        let mut depth = 1_usize;
        for event in self.events.by_ref() {
            match event {
                Event::Start(Tag::Image { .. }) => depth += 1,
                Event::End(TagEnd::Image) => depth -= 1,
                Event::Text(text) | Event::Code(text) | Event::InlineHtml(text) => alt.push_str(&text),
                Event::SoftBreak | Event::HardBreak => alt.push(' '),
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
        match url::safe(dest, Use::Image) {
            Some(src) => Event::InlineHtml(
                format!(
                    r#"<img src="{src}" alt="{}"{} loading="lazy" referrerpolicy="no-referrer">"#,
                    url::escape(&alt),
                    title_attribute(title)
                )
                .into(),
            ),
            None => Event::Text(alt.into()),
        }
    }
}

impl<'a> Iterator for Safe<'a> {
    type Item = Event<'a>;

    fn next(&mut self) -> Option<Event<'a>> {
        Some(match self.events.next()? {
            Event::Html(raw) | Event::InlineHtml(raw) => Event::Text(raw),
            Event::Start(Tag::HtmlBlock) => Event::Start(Tag::Paragraph),
            Event::End(TagEnd::HtmlBlock) => Event::End(TagEnd::Paragraph),
            Event::Start(Tag::Link { link_type, dest_url, title, .. }) => self.link(link_type, &dest_url, &title),
            Event::End(TagEnd::Link) if self.link_written => Event::InlineHtml("</a>".into()),
            Event::End(TagEnd::Link) => nothing(),
            Event::Start(Tag::Image { dest_url, title, .. }) => self.image(&dest_url, &title),
            // Alignment would be written as an inline style.
            Event::Start(Tag::Table(columns)) => Event::Start(Tag::Table(vec![Alignment::None; columns.len()])),
            other => other,
        })
    }
}

fn title_attribute(title: &str) -> String {
    if title.is_empty() { String::new() } else { format!(r#" title="{}""#, url::escape(title)) }
}

const fn nothing<'a>() -> Event<'a> {
    Event::Text(CowStr::Borrowed(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_and_what_is_shown() {
        const REL: &str = r#"rel="nofollow noopener noreferrer""#;
        for (text, html) in [
            ("# Hi *you*", "<h1>Hi <em>you</em></h1>".to_owned()),
            ("a <b onclick=x>bold</b>", "<p>a &lt;b onclick=x&gt;bold&lt;/b&gt;</p>".to_owned()),
            ("<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>".to_owned()),
            ("<!-- quiet -->", "<p>&lt;!-- quiet --&gt;</p>".to_owned()),
            ("[a](https://b/?c=1&d)", format!(r#"<p><a href="https://b/?c=1&amp;d" {REL}>a</a></p>"#)),
            ("[a](/notes/#x \"t\\\"\")", format!(r#"<p><a href="/notes/#x" title="t&quot;" {REL}>a</a></p>"#)),
            ("<me@b.example>", format!(r#"<p><a href="mailto:me@b.example" {REL}>me@b.example</a></p>"#)),
            ("[*a*](javascript:alert(1))", "<p><em>a</em></p>".to_owned()),
            ("[a](JaVa&#10;Script&colon;alert(1))", "<p>a</p>".to_owned()),
            ("<javascript:alert(1)>", "<p>javascript:alert(1)</p>".to_owned()),
            ("[a][r]\n\n[r]: data:text/html,x", "<p>a</p>".to_owned()),
            ("![*a* b](javascript:x)", "<p>a b</p>".to_owned()),
            ("![a](mailto:x@y)", "<p>a</p>".to_owned()),
            (
                "![\"a\" ![b](c)](/i.png)",
                r#"<p><img src="/i.png" alt="&quot;a&quot; b" loading="lazy" referrerpolicy="no-referrer"></p>"#
                    .to_owned(),
            ),
            ("~~a~~ `<b>`", "<p><del>a</del> <code>&lt;b&gt;</code></p>".to_owned()),
        ] {
            assert_eq!(render(text).trim_end(), html, "{text}");
        }
    }

    #[test]
    fn no_table_writes_a_style() {
        let html = render("| a | b |\n|:-:|--:|\n| 1 | 2 |\n");
        assert!(html.contains("<th>a</th>") && !html.contains("style"), "{html}");
    }

    #[test]
    fn a_text_that_would_explode_is_shown_unformatted() {
        let columns = 5_000;
        let table = format!("{}|\n{}|\n{}", "|a".repeat(columns), "|-".repeat(columns), "|b|\n".repeat(10_000));
        let html = render(&table);
        assert!(html.starts_with("<pre>") && html.len() <= HTML_BYTES_MAX, "{} bytes", html.len());
        let quotes = render(&"[](a)".repeat(50_000));
        assert!(quotes.len() <= HTML_BYTES_MAX);
    }

    #[test]
    fn an_excerpt_is_plain_and_short() {
        for (text, plain) in [
            ("# Title\n\nHello *big*ger\nworld", "Title Hello bigger world"),
            ("- a\n- b `c`", "a b c"),
            ("", ""),
            ("see [here](x), ok", "see here, ok"),
        ] {
            assert_eq!(excerpt(text), plain, "{text}");
        }
        assert_eq!(excerpt(&"é ".repeat(10_000)), format!("{}é…", "é ".repeat(EXCERPT_CHARS_MAX / 2 - 1)));
        assert_eq!(excerpt(&"é".repeat(EXCERPT_CHARS_MAX)), "é".repeat(EXCERPT_CHARS_MAX));
    }
}
