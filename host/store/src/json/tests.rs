//! The form of each ending, and that whatever is written parses to what was given.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn page(names: &[&str], rows: &[&[ValueRef<'_>]]) -> Result<JsonPage> {
    let plan = Plan::new(names.iter().copied())?;
    let mut writer = Writer::new(&plan, 1 << 20);
    for row in rows {
        writer.row(|index| Ok(row[index]))?;
    }
    Ok(writer.finish(false))
}

fn items(page: &JsonPage) -> serde_json::Value {
    serde_json::from_slice(&page.items).unwrap()
}

#[test]
fn writes_each_kind_of_value_and_ending() {
    use ValueRef::{Blob, Integer, Null, Real, Text};
    let names = ["id", "n", "r", "z", "data", "on:bool", "at:time", "meta:json", "at:key"];
    let first: &[_] = &[
        Text("a\"\u{1}é"),
        Integer(i64::MIN),
        Real(1.5),
        Null,
        Blob(&[0xff, 0]),
        Integer(2),
        Integer(1_700_000_000_123),
        Text("{\"x\": [1]}"),
        Integer(7),
    ];
    let second: &[_] = &[
        Text(""),
        Integer(0),
        Real(-0.0),
        Null,
        Blob(&[]),
        Integer(0),
        Integer(0),
        Null,
        Text("k"),
    ];
    let page = page(&names, &[first, second]).unwrap();
    assert_eq!(
        String::from_utf8(page.items.clone()).unwrap(),
        "[{\"id\":\"a\\\"\\u0001é\",\"n\":-9223372036854775808,\"r\":1.5,\"z\":null,\"data\":\"/wA=\",\
         \"on\":true,\"at\":\"2023-11-14T22:13:20.123Z\",\"meta\":{\"x\": [1]}},\
         {\"id\":\"\",\"n\":0,\"r\":-0.0,\"z\":null,\"data\":\"\",\
         \"on\":false,\"at\":\"1970-01-01T00:00:00.000Z\",\"meta\":null}]"
    );
    assert_eq!(page.count, 2);
    assert_eq!(page.last, [Value::Text("k".to_owned())]);
}

#[test]
fn an_empty_page_is_an_empty_array() {
    let page = page(&["id", "id:key"], &[]).unwrap();
    assert_eq!((page.items.as_slice(), page.count, page.last), (b"[]".as_slice(), 0, vec![]));
}

#[test]
fn a_row_of_keys_only_is_an_empty_object() {
    let page = page(&["a:key", "b:key"], &[&[ValueRef::Integer(1), ValueRef::Null]]).unwrap();
    assert_eq!(page.items, b"[{}]");
    assert_eq!(page.last, [Value::Integer(1), Value::Null]);
}

#[test]
fn refuses_values_that_do_not_fit_and_names_the_column() {
    let wrong = [
        ("a:bool", ValueRef::Text("true")),
        ("a:time", ValueRef::Text("now")),
        ("a:time", ValueRef::Integer(i64::MAX)),
        ("a:json", ValueRef::Text("{")),
        ("a:json", ValueRef::Text("1 2")),
        ("a:json", ValueRef::Integer(1)),
        ("a", ValueRef::Real(f64::NAN)),
        ("a", ValueRef::Real(f64::INFINITY)),
    ];
    for (name, value) in wrong {
        match page(&[name], &[&[value]]) {
            Err(Error::Invalid(text)) => assert!(text.contains(name), "{text}"),
            other => panic!("{name} {value:?}: {other:?}"),
        }
    }
}

#[test]
fn refuses_unknown_endings_and_names_used_twice() {
    for names in [&["a:int"][..], &["a:"], &["a", "a"], &["a", "a:bool"]] {
        assert!(matches!(Plan::new(names.iter().copied()), Err(Error::Invalid(_))), "{names:?}");
    }
    assert!(Plan::new(["a", "a:key", "a:key"]).is_ok());
}

#[test]
fn a_plan_knows_the_names_it_was_made_for() {
    let plan = Plan::new(["a", "b:bool"]).unwrap();
    assert!(plan.is_for(["a", "b:bool"].into_iter()));
    assert!(!plan.is_for(["a", "b"].into_iter()));
    assert!(!plan.is_for(["a"].into_iter()));
}

#[test]
fn a_page_never_outgrows_its_limit() {
    let plan = Plan::new(["a"]).unwrap();
    for length in 0..40 {
        let text = "x".repeat(length);
        let mut writer = Writer::new(&plan, 20);
        match writer.row(|_| Ok(ValueRef::Text(&text))) {
            Ok(()) => assert!(writer.finish(false).items.len() <= 20),
            Err(error) => {
                assert!(matches!(error, Error::TooLarge { .. }) && length > 8, "{length}")
            }
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_parses_to_what_was_given(
        name in "[^:]{1,8}",
        texts in proptest::collection::vec(".*", 0..5),
        integer in any::<i64>(),
    ) {
        let second = format!("{name}2");
        let rows: Vec<[ValueRef<'_>; 2]> =
            texts.iter().map(|text| [ValueRef::Text(text), ValueRef::Integer(integer)]).collect();
        let rows: Vec<&[ValueRef<'_>]> = rows.iter().map(|row| &row[..]).collect();
        let page = page(&[&name, &second], &rows).unwrap();
        let expected: Vec<_> =
            texts.iter().map(|text| json!({ &name: text, &second: integer })).collect();
        prop_assert_eq!(items(&page), json!(expected));
    }

    // serde_json's own parser may miss the nearest number by one bit, the standard library's does not.
    #[test]
    fn a_number_is_written_with_every_bit(real in proptest::num::f64::NORMAL) {
        let page = page(&["a"], &[&[ValueRef::Real(real)]]).unwrap();
        let text = String::from_utf8(page.items).unwrap();
        let digits = text.strip_prefix("[{\"a\":").unwrap().strip_suffix("}]").unwrap();
        prop_assert_eq!(digits.parse::<f64>().unwrap().to_bits(), real.to_bits());
    }

    #[test]
    fn any_text_as_json_is_written_only_when_it_parses(text in "[\\[\\]{}\",:0-9a ]{0,12}") {
        let result = page(&["a:json"], &[&[ValueRef::Text(&text)]]);
        let parses = serde_json::from_str::<serde_json::Value>(&text).is_ok();
        prop_assert_eq!(result.is_ok(), parses);
        if let Ok(page) = result {
            prop_assert!(items(&page).is_array());
        }
    }
}
