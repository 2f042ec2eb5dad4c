//! The knowledge base through its front door: what is found, what is not, and what breaks it.

use std::path::Path;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const LIMITS: Limits = Limits { passage_chars_max: 900, query_chars_max: 2000 };

fn source(path: &str, text: &str) -> Source {
    Source { path: path.to_owned(), text: text.to_owned().into() }
}

fn article(id: &str, title: &str, questions: &[&str], body: &str) -> Source {
    let text = format!("---\ntitle: {title:?}\nquestions: {questions:?}\n---\n{body}\n");
    source(&format!("articles/{id}.md"), &text)
}

fn shop() -> Vec<Source> {
    vec![
        article(
            "delivery-times",
            "How long does delivery take?",
            &["when will my parcel arrive", "express shipping"],
            "Standard delivery takes 3 to 5 working days. Express delivery takes 1 to 2 working days.",
        ),
        article(
            "delivery-costs",
            "What does delivery cost?",
            &["is shipping free", "postage price"],
            "Standard delivery costs $5.95 and is free from $75. Express delivery costs $14.95.",
        ),
        article(
            "returns",
            "How do I return something?",
            &["send an item back", "return window"],
            "You can return unused items within 45 days of delivery. The prepaid label is free.",
        ),
        article(
            "refund-times",
            "When do I get my money back?",
            &["how long do refunds take"],
            "We refund the original payment method 3 to 5 working days after we receive your return.",
        ),
        article(
            "gift-cards",
            "Do gift cards expire?",
            &["gift card validity", "can I get cash for a gift card"],
            "Gift cards never expire and cannot be refunded.",
        ),
        article(
            "warranty",
            "What does the warranty cover?",
            &["my gear broke", "how long is the guarantee"],
            "All gear has a warranty of 2 years. Tents and packs of our own brand Pinewood have 5 years.",
        ),
        article(
            "stove",
            "The stove does not light",
            &["my stove is broken", "no flame on camping stove"],
            "Close the valve and wait for five minutes.\n\n1. Screw the canister on again.\n2. Clean the jet with \
             the pin.\n3. Hold a match to the burner.\n\nNever use the stove inside a tent.",
        ),
        article(
            "stores",
            "Where are your stores and when are they open?",
            &["opening hours", "shop address"],
            "Our stores are in Duluth, Madison and Minneapolis, open Monday to Friday from 8:00 to 18:00.",
        ),
        source(
            "articles/de/ruecksendung.md",
            "---\ntitle: Wie sende ich etwas zurück?\nlanguage: de\n---\nSie können Artikel 45 Tage lang zurücksenden.",
        ),
    ]
}

fn open(sources: Vec<Source>) -> Knowledge {
    let (knowledge, problems) = Knowledge::open(Origin::Embedded(sources), None, LIMITS);
    assert!(problems.is_empty(), "{problems:?}");
    knowledge
}

#[test]
fn what_the_articles_answer_is_likelier_than_what_they_do_not() {
    let knowledge = open(shop());
    let known = [
        ("how long does delivery take", "delivery-times"),
        ("whats the shipping cost for express", "delivery-costs"),
        ("can i send back an unused item", "returns"),
        ("when do i get my money back", "refund-times"),
        ("does my gift card expire", "gift-cards"),
        ("how long is the warranty on a pinewood tent", "warranty"),
        ("my stove wont light", "stove"),
        ("opening hours of the madison store", "stores"),
    ];
    let unknown = [
        "what is the capital of France",
        "who won the world cup",
        "do you sell car tyres",
        "tell me a joke about lawyers",
        "how many calories are in an avocado",
        "can you book me a flight to Lisbon",
        "what is the meaning of life",
        "asdf qwerty zxcv",
        "how long is the Great Wall of China",
        "can I return to my country without a passport",
        "what time does the bank open tomorrow",
        "gift ideas for my boss",
        "how much money do doctors earn",
        "is my credit card declined in Japan",
        "send a text message to mom",
        "my car does not start and the engine is broken",
    ];
    let mut least: f32 = 1.0;
    for (query, id) in known {
        let search = knowledge.search(query, Some("en"), 3);
        assert_eq!(search.hits.first().map(|hit| hit.article.as_str()), Some(id), "{query}");
        least = least.min(search.answerable);
    }
    let most = unknown.iter().map(|q| knowledge.search(q, Some("en"), 3).answerable).fold(0.0, f32::max);
    assert!(least > 0.35 && most < 0.3, "known at least {least}, unknown at most {most}");
}

#[test]
fn misspelt_and_joined_words_are_found() {
    let knowledge = open(shop());
    for query in ["giftcard expirre", "waranty", "delivry tmies"] {
        assert!(!knowledge.search(query, Some("en"), 1).hits.is_empty(), "{query}");
    }
    assert_eq!(knowledge.search("giftcard", Some("en"), 1).hits[0].article, "gift-cards");
}

#[test]
fn a_language_finds_its_own_articles_and_an_unknown_one_finds_all() {
    let knowledge = open(shop());
    assert_eq!(knowledge.search("rücksendung zurücksenden", Some("de"), 5).hits[0].article, "ruecksendung");
    assert_eq!(knowledge.search("Artikel zurück senden", None, 5).hits[0].article, "ruecksendung");
    let none = knowledge.search("wie sende ich etwas zurück", Some("fr"), 5);
    assert_eq!((none.hits.len(), none.answerable), (0, 0.0));
}

#[test]
fn one_hit_per_article_with_its_best_passage_and_the_sentences_that_answer() {
    let filler =
        "Our hikers like good maps and quiet evenings by the lake with a book and some tea. ".repeat(6);
    let body = format!(
        "{filler}\n\n## Cleaning\n\n{filler}Clean the filter with warm water. Dry it for a day. {filler}"
    );
    let knowledge =
        open(vec![article("filter", "Water filter", &[], &body), article("map", "Maps", &[], "Maps.")]);
    let search = knowledge.search("how do I clean and dry my filter", None, 5);
    assert_eq!(search.hits.len(), 1);
    let hit = &search.hits[0];
    assert!(hit.passage.contains("Clean the filter"), "{}", hit.passage);
    assert!(hit.snippet.contains("Clean the filter with warm water. Dry it for a day."), "{}", hit.snippet);
    assert!(hit.snippet.len() < 300 && hit.passage.contains(&hit.snippet), "{}", hit.snippet);
}

#[test]
fn a_list_of_steps_is_never_shown_by_halves() {
    let filler =
        "Our hikers like good maps and quiet evenings by the lake with a book and some tea. ".repeat(3);
    let body = format!(
        "{filler}\n\nDo this:\n\n1. Close the valve.\n2. Wait.\n3. Clean the jet.\n4. Light the burner."
    );
    let knowledge = open(vec![article("stove", "Stove", &[], &body), article("map", "Maps", &[], "Maps.")]);
    let hit = knowledge.search("clean the jet of the burner", None, 1).hits.remove(0);
    assert!(
        hit.snippet
            .ends_with("Do this:\n1. Close the valve.\n2. Wait.\n3. Clean the jet.\n4. Light the burner."),
        "{}",
        hit.snippet
    );
}

#[test]
fn a_broken_file_is_named_and_takes_nothing_down() {
    let mut sources = shop();
    sources.push(source("articles/broken.md", "---\ntitle: [\n---\nHello."));
    sources.push(article("x/returns", "Again", &[], "Twice."));
    sources.push(source("procedures/late.md", "---\nexamples: [it is late]\narticles: [nowhere]\n---\n"));
    let (knowledge, problems) = Knowledge::open(Origin::Embedded(sources), None, LIMITS);
    let files: Vec<&str> = problems.iter().map(|p| p.file.as_str()).collect();
    assert_eq!(files, ["articles/broken.md", "articles/x/returns.md", "procedures/late.md"]);
    assert_eq!((knowledge.articles_count(), knowledge.procedures().len()), (9, 1));
    assert!(problems[2].message.contains("nowhere"));
}

fn write(folder: &Path, name: &str, text: &str) {
    let file = folder.join(name);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, text).unwrap();
}

#[test]
fn a_file_that_breaks_keeps_serving_and_a_good_change_is_served() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "articles/a.md", "---\ntitle: Tents\n---\nTents are green.");
    write(folder.path(), "procedures/b.md", "---\nexamples: [where is it]\n---\n");
    let (knowledge, problems) = Knowledge::open(Origin::Folder(folder.path().to_owned()), None, LIMITS);
    assert!(problems.is_empty(), "{problems:?}");
    let (version, procedures) = (knowledge.version(), knowledge.procedures_version());

    write(folder.path(), "articles/a.md", "---\ntitle: [\n---\nTents are red.");
    assert_eq!(knowledge.reload().len(), 1);
    assert_eq!(
        (knowledge.version(), knowledge.search("tents", None, 1).hits[0].passage.as_str()),
        (version.clone(), "Tents are green.")
    );

    write(folder.path(), "articles/a.md", "---\ntitle: Tents\n---\nTents are blue.");
    assert_eq!(knowledge.reload(), []);
    assert_eq!(knowledge.search("tents", None, 1).hits[0].passage, "Tents are blue.");
    assert_ne!(knowledge.version(), version);
    assert_eq!(knowledge.procedures_version(), procedures);
}

#[test]
fn a_watched_folder_is_read_again_when_a_file_changes() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "articles/a.md", "---\ntitle: Tents\n---\nTents are green.");
    let (knowledge, _) = Knowledge::open(Origin::Folder(folder.path().to_owned()), None, LIMITS);
    let watch = knowledge.watch().unwrap();
    assert!(watch.is_some());
    let before = knowledge.version();
    write(folder.path(), "articles/b.md", "---\ntitle: Packs\n---\nPacks are blue.");
    // The operating system says when; a test can only wait for it, and not for ever.
    let patience = Instant::now() + Duration::from_secs(20);
    while knowledge.version() == before && Instant::now() < patience {
        std::thread::park_timeout(Duration::from_millis(10));
    }
    assert_eq!(knowledge.search("packs", None, 1).hits[0].article, "b");
}

#[test]
fn a_cached_index_is_used_again_and_a_damaged_or_unwritable_one_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("index");
    let find = || {
        let (knowledge, problems) = Knowledge::open(Origin::Embedded(shop()), Some(&cache), LIMITS);
        assert_eq!(problems, []);
        knowledge.search("gift card", Some("en"), 1).hits.first().map(|hit| hit.article.clone())
    };
    let expected = Some("gift-cards".to_owned());
    assert_eq!(find(), expected);
    let index = std::fs::read_dir(&cache).unwrap().next().unwrap().unwrap().path();
    let files = || -> Vec<_> { std::fs::read_dir(&index).unwrap().map(|f| f.unwrap().path()).collect() };
    let first = files();
    assert_eq!(find(), expected);
    assert_eq!(files(), first, "an index that fits is not built again");

    for file in files() {
        std::fs::write(&file, b"damaged").unwrap();
    }
    assert_eq!(find(), expected);
    for file in files().iter().filter(|f| f.extension().is_some_and(|e| e == "idx")) {
        let mut bytes = std::fs::read(file).unwrap();
        bytes[0] ^= 0xff;
        std::fs::write(file, bytes).unwrap();
    }
    assert_eq!(find(), expected);

    std::fs::remove_dir_all(&cache).unwrap();
    std::fs::write(&cache, "a file where a folder should be").unwrap();
    assert_eq!(find(), expected);
}

#[test]
fn knowledge_bases_that_open_at_the_same_time_share_a_cache() {
    let folder = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let (knowledge, problems) =
                    Knowledge::open(Origin::Embedded(shop()), Some(folder.path()), LIMITS);
                assert_eq!(problems, []);
                assert_eq!(knowledge.search("gift card", Some("en"), 1).hits[0].article, "gift-cards");
            });
        }
    });
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing half-built is left");
}

#[test]
fn jsonl_answers_each_line_and_names_the_bad_ones() {
    let knowledge = open(shop());
    let line = search_line(&knowledge, r#"{"id":"q1","text":"do gift cards expire"}"#, 2);
    let answer: Value = serde_json::from_str(&line.unwrap()).unwrap();
    assert_eq!(answer["id"], "q1");
    assert_eq!(answer["hits"][0]["article"], "gift-cards");
    assert_eq!(answer["hits"][0]["passage"], "Gift cards never expire and cannot be refunded.");
    assert!(answer["answerable"].as_f64().unwrap() > 0.5);
    let bad: Value = serde_json::from_str(&search_line(&knowledge, r#"{"id":7}"#, 2).unwrap_err()).unwrap();
    assert_eq!(bad["id"], json!(7));
    assert!(bad["error"].as_str().unwrap().contains("text"));
    let worse: Value = serde_json::from_str(&search_line(&knowledge, "nonsense", 2).unwrap_err()).unwrap();
    assert_eq!(worse.as_object().unwrap().keys().collect::<Vec<_>>(), ["error"]);
}

#[test]
fn an_empty_knowledge_base_finds_nothing() {
    let search = open(Vec::new()).search("anything", None, 5);
    assert_eq!((search.answerable, search.hits.len()), (0.0, 0));
}

#[test]
fn a_query_is_cut_at_its_limit() {
    let limits = Limits { query_chars_max: 5, ..LIMITS };
    let (knowledge, _) = Knowledge::open(Origin::Embedded(shop()), None, limits);
    assert!(knowledge.search("xxxx gift card", None, 1).hits.is_empty());
}

proptest! {
    #[test]
    fn no_query_makes_a_search_panic_or_leave_its_range(query: String, language in "[a-z]{0,3}", limit in 0_usize..4) {
        thread_local!(static SHOP: Knowledge = open(shop()));
        SHOP.with(|knowledge| {
            for language in [None, Some(language.as_str()), Some("en")] {
                let search = knowledge.search(&query, language, limit);
                prop_assert!((0.0..=1.0).contains(&search.answerable) && search.hits.len() <= limit);
            }
            Ok(())
        })?;
    }

    #[test]
    fn no_words_of_the_articles_in_any_order_break_a_search(query in "(gift|card|\"|tents?|\\+|-|AND|OR|:|\\*|~2|\\(|\\)| |return){0,30}") {
        thread_local!(static SHOP: Knowledge = open(shop()));
        let answerable = SHOP.with(|knowledge| knowledge.search(&query, None, 3).answerable);
        prop_assert!((0.0..=1.0).contains(&answerable));
    }
}

#[test]
fn it_serves_while_its_index_finds_what_is_there_and_again_after_a_reload() {
    let (knowledge, _) = Knowledge::open(Origin::Embedded(shop()), None, LIMITS);
    assert!(knowledge.serves());
    let (mut lost, _) = Edition::read(knowledge.origin(), None, LIMITS, None);
    lost.lose_index();
    *knowledge.shared.present.write().unwrap() = Arc::new(lost);
    assert!(!knowledge.serves());
    knowledge.reload();
    assert!(knowledge.serves());
    let (empty, _) = Knowledge::open(Origin::Embedded(Vec::new()), None, LIMITS);
    assert!(empty.serves(), "with no articles there is nothing to find");
}
