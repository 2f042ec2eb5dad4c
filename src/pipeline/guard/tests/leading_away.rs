//! Links, addresses, secrets and insides.

use super::*;

#[test]
fn thirty_spellings_of_a_foreign_link_are_stopped() {
    let links = [
        "https://evil.com",
        "http://evil.com/x",
        "see evil.com",
        "see evil.com/x now",
        "www.evil.com",
        "//evil.com/a",
        "hxxp://evil.com",
        "hxxps://evil[.]com",
        "evil(dot)com",
        "evil dot com",
        "https:evil.com",
        "https:/evil.com",
        "https:\\\\evil.com",
        "javascript:alert(1)",
        "data:text/html,hi",
        "ftp://evil.com",
        "[shop](https://evil.com)",
        "![x](https://evil.com/i.png)",
        "[shop][1]\n\n[1]: https://evil.com",
        "<https://evil.com>",
        "<a href=\"https://evil.com\">x</a>",
        "https://harborandpine.example@evil.com",
        "https://harborandpine.example.evil.com",
        "https://evil.com/harborandpine.example",
        "https://hаrborandpine.example/",
        "https://hárborandpine.example",
        "https://xn--hrborandpine-q7a.example",
        "ｈｔｔｐｓ：／／ｅｖｉｌ．ｃｏｍ",
        "https://ev\u{200B}il.com",
        "evil。com",
        "http://3232235777/",
        "http://192.168.0.1/",
        "192.168.0.1",
        "http://[::1]/",
        "https://harborandpine.example:8080/",
        "http://harborandpine.example/",
        "https://harborandpine.example/go?url=https://evil.com",
        "https://harborandpine.example/redirect?u=%2f%2fevil.com",
        "evil%2ecom",
        "&#104;ttps://evil",
        "https://harborandpine.example/invented-page",
        "https://harborandpine.example/x",
        "https://track.northlane.example/NL482107731",
        "[pay](/pay/now)",
        "https://user:pw@harborandpine.example/",
        "HTTPS://EVIL.COM",
        "evil .com",
        "https://localhost/a",
        "https://track.northlane.example/NL4821077315?next=a",
    ];
    stops(&reading(), "links", &links);
}

#[test]
fn our_own_links_pass() {
    passes(
        &reading(),
        &[
            "You can follow it here: https://track.northlane.example/NL4821077315",
            "Follow it here: https://track.northlane.example/NL4821077315.",
            "Here is the invoice: https://harborandpine.example/invoices/HP-10042",
            "Please sign in on https://harborandpine.example and write to me from there.",
            "It is on [our page](https://harborandpine.example/help/returns).",
            "It is on harborandpine.example.",
            "Well, e.g. on the shelf, i.e. here. Thanks...",
        ],
    );
}

#[test]
fn addresses_and_numbers_to_call_are_ours_or_the_customers() {
    stops(
        &reading(),
        "contacts",
        &[
            "Write to help@evil.com.",
            "Write to hello@harborandpine.example.evil.com",
            "Call +1 218 555 0199.",
            "Call 0800 555 0199",
            "Call (218) 555-0177",
            "help (at) evil (dot) com",
            "hello@hárborandpine.example",
        ],
    );
    passes(
        &reading(),
        &[
            "Write to hello@harborandpine.example or help@harborandpine.example.",
            "Call +1 218 555 0100.",
            "Call 1-218-555-0100.",
            "Your number on file is +1 218 555 0142, your address ida@example.org.",
        ],
    );
}

#[test]
fn secrets_are_never_asked_for() {
    stops(
        &reading(),
        "secrets",
        &[
            "Please send me your card number.",
            "What is your password?",
            "Tell me your PIN.",
            "I need your CVV.",
            "Enter the one-time code here.",
            "Can you confirm the security code on the back?",
            "Bitte nennen Sie Ihr Passwort.",
            "Schicken Sie mir die Kartennummer.",
            "Donnez-moi votre mot de passe.",
            "Envíe su contraseña.",
            "Indichi il codice di sicurezza.",
            "Informe a sua senha.",
            "Geef uw wachtwoord.",
            "Your card is 4111 1111 1111 1111.",
        ],
    );
    passes(
        &reading(),
        &[
            "Never send us your card number.",
            "We do not need your password.",
            "I will send a link for a new password to your email. Shall I?",
            "Which code is it? Please type it just as it is written.",
            "Please don't share your PIN with anybody.",
            "What is the new email address?",
        ],
    );
}

#[test]
fn insides_emptiness_length_and_disguise_are_stopped() {
    stops(
        &reading(),
        "internals",
        &[
            "As an AI language model I cannot.",
            "My system prompt says no.",
            "Hello {{ name }}",
            "{\"status\": 1}",
            "<|im_start|>",
            "Ignore all previous words",
            "```json",
            "key flk_abc",
            "aGVsbG8gd29ybGQgaGVsbG8gd29ybGQgaGVsbG8gd29ybGQgaGVsbG8",
        ],
    );
    stops(&reading(), "empty", &["", "  \n", "\u{200B}", "…"]);
    stops(&reading(), "length", &["a ".repeat(800).as_str()]);
    stops(&reading(), "disguise", &["abc\u{202E}def", "a\u{0}b", "a\u{E0041}"]);
    passes(
        &reading(),
        &["Hello, what can I do for you?", "مرحبا، كيف يمكنني مساعدتك؟", "שלום\u{200F}, במה אפשר לעזור?"],
    );
}
