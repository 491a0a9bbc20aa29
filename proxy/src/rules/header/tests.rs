//! The laws of merging, and what values come to.

use super::*;
use crate::config::load_str;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;

/// Reads rules as an operator writes them: `"x-a" = "1", "x-b" = false`.
fn rules(written: &str) -> HeaderRules {
    let text = format!(
        "[listener.a]\naddress = \"127.0.0.1:0\"\n[[route]]\nmatch = \"/**\"\nauth = \"public\"\nrespond = {{}}\n\
         response_headers = {{ {written} }}"
    );
    let config = load_str("test.toml", &text, &|_| None, Path::new("")).expect("sound rules");
    HeaderRules::new(&config.routes[0].policy.response_headers)
}

fn headers(fields: &[(&str, &str)]) -> HeaderMap {
    let field = |(name, value): &(&str, &str)| {
        (HeaderName::from_bytes(name.as_bytes()).expect("a name"), HeaderValue::from_str(value).expect("a value"))
    };
    let mut headers = HeaderMap::new();
    for (name, value) in fields.iter().map(field) {
        headers.append(name, value);
    }
    headers
}

/// Fields by name, so that maps can be compared.
fn sorted(headers: &HeaderMap) -> BTreeMap<String, Vec<String>> {
    let mut sorted: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in headers {
        sorted.entry(name.to_string()).or_default().push(String::from_utf8_lossy(value.as_bytes()).into_owned());
    }
    sorted
}

fn applied(site: &HeaderRules, route: &HeaderRules, before: &HeaderMap) -> HeaderMap {
    let mut after = before.clone();
    Layers { site, route }.apply(&mut after, || Facts { host: "a.example", ..Facts::default() });
    after
}

#[test]
fn fields_are_set_added_and_removed() {
    let rules = rules("x-set = \"new\", x-add = { add = \"two\" }, x-gone = false, x-made = \"{host}:{query}!\"");
    let before = [("x-set", "a"), ("x-set", "b"), ("x-add", "one"), ("x-gone", "1"), ("x-gone", "2"), ("x-kept", "1")];
    let after = applied(&HeaderRules::default(), &rules, &headers(&before));
    let wanted = [("x-set", "new"), ("x-add", "one"), ("x-add", "two"), ("x-made", "a.example:!"), ("x-kept", "1")];
    assert_eq!(sorted(&after), sorted(&headers(&wanted)));
}

#[test]
fn what_an_error_says_of_itself_stays() {
    let rules = rules("cache-control = \"public\", allow = false, vary = { add = \"x\" }, x-frame-options = \"DENY\"");
    let mut fields = headers(&[("cache-control", "no-store"), ("allow", "GET"), ("vary", "origin")]);
    let before = sorted(&fields);
    Layers { site: &HeaderRules::default(), route: &rules }.complete(&mut fields, Facts::default);
    assert_eq!(fields.remove("x-frame-options").expect("a field"), "DENY");
    assert_eq!(sorted(&fields), before);
}

#[test]
fn no_rule_makes_an_error_cacheable() {
    let rules = rules(
        "cache-control = \"max-age=60\", cdn-cache-control = \"max-age=60\", surrogate-control = \"max-age=60\", \
         cloudflare-cdn-cache-control = { add = \"max-age=60\" }, expires = \"Fri, 01 Jan 2038 00:00:00 GMT\", \
         x-accel-expires = \"60\", surrogate-key = \"a\"",
    );
    let mut fields = headers(&[]);
    Layers { site: &HeaderRules::default(), route: &rules }.complete(&mut fields, Facts::default);
    assert_eq!(sorted(&fields), sorted(&headers(&[("surrogate-key", "a")])));
}

#[test]
fn every_variable_is_filled_in() {
    let facts = Facts {
        host: "a.example:1",
        path: "/p%20q",
        query: Some("x=1"),
        client: Some("2001:db8::1".parse().expect("an address")),
        scheme: "https",
        method: "GET",
        request_id: "id",
        route: "r",
        site: "s",
        subject: "J\u{fc}rgen 100%",
        tls_version: "TLSv1.3",
    };
    let all = "{host} {path} {query} {client_address} {scheme} {method} {request_id} {route} {site} {subject} \
        {tls_version} {{host}";
    let mut fields = HeaderMap::new();
    let route = rules(&format!("x-all = {all:?}"));
    let layers = Layers { site: &HeaderRules::default(), route: &route };
    assert!(layers.use_facts());
    layers.apply(&mut fields, || facts);
    let wanted = "a.example:1 /p%20q ?x=1 2001:db8::1 https GET id r s J%C3%BCrgen%20100%25 TLSv1.3 {host}";
    assert_eq!(fields["x-all"], wanted);
}

#[test]
fn a_value_that_no_field_may_hold_leaves_none_behind() {
    let rules = rules("x-set = \"{path}\", x-add = { add = \"{path}\" }");
    let mut fields = headers(&[("x-set", "forged"), ("x-add", "one")]);
    let facts = Facts { path: "/a\r\nx-evil: 1", ..Facts::default() };
    Layers { site: &rules, route: &HeaderRules::default() }.apply(&mut fields, || facts);
    assert_eq!(sorted(&fields), sorted(&headers(&[("x-add", "one")])));
}

#[test]
fn constants_need_nothing_of_the_request() {
    assert!(!rules("a = \"\", b = \"{{c}\", c = false, d = { add = \"1\" }").use_facts);
    assert!(rules("d = { add = \"{site}\" }").use_facts);
}

#[test]
fn what_a_reference_brought_is_never_shown() {
    let text = "[listener.a]\naddress = \"127.0.0.1:0\"\n[site.a]\nrequest_headers = { x-a = \"${env:A}\", x-b = \"shown\" }\n\
        [[route]]\nmatch = \"/**\"\nauth = \"public\"\nrespond = {}\n";
    let config = load_str("test.toml", text, &|_| Some("hunter2".to_owned()), Path::new("")).expect("sound rules");
    let rules = HeaderRules::new(&config.sites[0].request_headers);
    let debug = format!("{rules:?} {:?}", config.sites[0]);
    assert!(debug.contains("shown") && !debug.contains("hunter2"), "{debug}");
    let after = applied(&rules, &HeaderRules::default(), &HeaderMap::new());
    assert_eq!(after["x-a"], "hunter2");
}

const NAMES: [&str; 4] = ["x-a", "x-b", "vary", "set-cookie"];

fn written() -> impl Strategy<Value = BTreeMap<usize, String>> {
    let rule = prop_oneof![
        "[a-z]{0,3}".prop_map(|value| format!("{value:?}")),
        "[a-z]{0,3}".prop_map(|value| format!("{{ add = {value:?} }}")),
        Just("false".to_owned()),
        Just("\"{host}\"".to_owned()),
    ];
    prop::collection::btree_map(0..NAMES.len(), rule, 0..NAMES.len())
}

fn joined<'a>(written: impl IntoIterator<Item = (&'a usize, &'a String)>) -> HeaderRules {
    let written: Vec<_> = written.into_iter().map(|(name, rule)| format!("{} = {rule}", NAMES[*name])).collect();
    rules(&written.join(", "))
}

fn before() -> impl Strategy<Value = HeaderMap> {
    prop::collection::vec((0..NAMES.len(), "[a-z]{0,3}"), 0..6).prop_map(|fields| {
        let fields: Vec<_> = fields.iter().map(|(name, value)| (NAMES[*name], value.as_str())).collect();
        headers(&fields)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn layers_are_one_table_in_which_the_route_wins(site in written(), route in written(), before in before()) {
        let mut merged = site.clone();
        merged.extend(route.clone());
        let layered = applied(&joined(&site), &joined(&route), &before);
        let single = applied(&HeaderRules::default(), &joined(&merged), &before);
        prop_assert_eq!(sorted(&layered), sorted(&single));
        for (name, rule) in &route {
            if rule == "false" {
                prop_assert!(!layered.contains_key(NAMES[*name]), "removed, whatever was inherited");
            }
        }
    }

    #[test]
    fn a_layer_alone_means_the_same_in_both_places(rules in written(), before in before()) {
        let (rules, none) = (joined(&rules), HeaderRules::default());
        prop_assert_eq!(sorted(&applied(&rules, &none, &before)), sorted(&applied(&none, &rules, &before)));
        prop_assert_eq!(sorted(&applied(&none, &none, &before)), sorted(&before));
    }

    #[test]
    fn the_order_of_names_means_nothing(rules in written(), before in before()) {
        let none = HeaderRules::default();
        let (forth, back) = (joined(&rules), joined(rules.iter().rev()));
        prop_assert_eq!(sorted(&applied(&none, &forth, &before)), sorted(&applied(&none, &back, &before)));
    }

    #[test]
    fn names_without_a_rule_are_left_alone(rules in written(), before in before()) {
        let after = applied(&joined(&rules), &HeaderRules::default(), &before);
        for (index, name) in NAMES.iter().enumerate().filter(|(index, _)| !rules.contains_key(index)) {
            let values = |headers: &HeaderMap| headers.get_all(*name).iter().cloned().collect::<Vec<_>>();
            prop_assert_eq!(values(&after), values(&before), "{}", index);
        }
    }
}
