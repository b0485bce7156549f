use super::*;

#[test]
fn one_slip_of_the_keyboard_is_told_from_another_name() {
    for (written, name, near) in [
        ("serverr", "server", true),
        ("sever", "server", true),
        ("sevrer", "server", true),
        ("cerver", "server", true),
        ("server", "server", false),
        ("store", "server", false),
        ("ab", "a", false),
        ("servers-b", "server-a", false),
    ] {
        assert_eq!(nearest(written, [name].into_iter()).is_some(), near, "{written} {name}");
    }
    assert_eq!(nearest("server", ["servers", "serve"].into_iter()), None);
}

#[test]
fn remedies_are_sorted_and_of_rules_that_exist() {
    let ids: Vec<&str> = REMEDIES.iter().map(|(id, _)| *id).collect();
    assert!(ids.is_sorted());
    let unknown: Vec<&&str> = ids.iter().filter(|id| crate::rules::find(id).is_none()).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn edits_that_overlap_or_leave_their_file_are_none() {
    let mut sources = Sources::default();
    let file = sources.add("a", *b"abc");
    let edit = |start, end| Edit { span: crate::source::Span { file, start, end }, text: "x".to_owned() };
    let text = |edits: &[Edit]| {
        let edited = edited(&sources, edits)?;
        edited.text(file).map(|text| String::from_utf8_lossy(text.bytes()).into_owned())
    };
    assert_eq!(text(&[edit(2, 3), edit(0, 0)]).as_deref(), Some("xabx"));
    assert_eq!(text(&[edit(0, 2), edit(1, 3)]), None);
    assert_eq!(text(&[edit(3, 4)]), None);
    assert_eq!(text(&[edit(2, 1)]), None);
}
