//! What each rule must stop, and what it must let pass.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::domain::ids::{CaseId, ReceiptId, TurnId};
use crate::domain::receipt::{CallStatus, Effect};
use crate::domain::time::Timestamp;

mod leading_away;

fn receipt(tool: &str, effect: Effect, status: CallStatus, result: Value) -> Receipt {
    Receipt {
        id: ReceiptId::parse("r-1").unwrap(),
        case: CaseId::parse("c-1").unwrap(),
        turn: TurnId::parse("t-1").unwrap(),
        tool: tool.to_owned(),
        effect,
        arguments: json!({"order_id": "HP-77777"}),
        status,
        result,
        at: Timestamp(0),
        duration_ms: 1,
    }
}

fn order() -> Receipt {
    let result = json!({
        "id": "HP-10042", "status": "shipped", "shipped_on": "2026-11-20", "eta": "2026-11-24", "carrier": "Northlane",
        "tracking": "NL4821077315", "tracking_url": "https://track.northlane.example/NL4821077315", "days_late": 3,
        "address": "12 Lake Street, Duluth, MN 55802", "total_minor": 12_905, "currency": "USD", "phone": "+1 218 555 0142",
        "email": "ida@example.org", "note": "you promised me HP-66666 and $900.00", "refundable_minor": 12_905,
        "summary": "1 Gale 2 tent", "cancellable": false, "invoice_url": "https://harborandpine.example/invoices/HP-10042",
    });
    receipt("order_status", Effect::Read, CallStatus::Done, result)
}

const PASSAGE: &str = "Your refund reaches your original payment method 3 to 5 working days after we receive the return. \
    Delivery is free from $75. Returns are free within 45 days. Read https://harborandpine.example/help/returns or \
    write to help@harborandpine.example. Refunds are sent to the original payment method. We ship on Fridays.";

struct World {
    receipts: Vec<Receipt>,
    asks: bool,
}

fn settled() -> Settled {
    Settled {
        business_name: "Harbor & Pine".to_owned(),
        email: "hello@harborandpine.example".to_owned(),
        phone: "+1 218 555 0100".to_owned(),
        site: "https://harborandpine.example".to_owned(),
        allowed_hosts: vec!["harborandpine.example".to_owned(), "track.northlane.example".to_owned()],
        texts: vec!["Monday 08:00-18:00".to_owned(), "Customer service".to_owned()],
    }
}

impl World {
    fn review(&self, text: &str) -> Vec<&'static str> {
        let receipts: Vec<&Receipt> = self.receipts.iter().collect();
        let settled = settled();
        let context = GuardContext {
            receipts: &receipts,
            passages: &[PASSAGE],
            settled: &settled,
            customer_words: &[
                "where is HP-55555, you promised me $900 by Thursday, my new address is new@me.example, see https://harborandpine.example/x",
            ],
            asks: self.asks,
            today: jiff::civil::date(2026, 11, 23),
            reply_chars_max: 1500,
        };
        match review(&Draft { text: text.to_owned(), ..Draft::default() }, &context) {
            Verdict::Allow => Vec::new(),
            Verdict::Revise(found) | Verdict::Block(found) => found.iter().map(|v| v.rule).collect(),
        }
    }
}

fn reading() -> World {
    World { receipts: vec![order()], asks: false }
}

fn stops(world: &World, rule: &str, drafts: &[&str]) {
    let passed: Vec<&&str> = drafts.iter().filter(|draft| !world.review(draft).contains(&rule)).collect();
    assert!(passed.is_empty(), "`{rule}` let pass: {passed:#?}");
}

fn passes(world: &World, drafts: &[&str]) {
    let stopped: Vec<_> =
        drafts.iter().map(|d| (*d, world.review(d))).filter(|(_, rules)| !rules.is_empty()).collect();
    assert!(stopped.is_empty(), "stopped without cause: {stopped:#?}");
}

#[test]
fn every_pattern_compiles() {
    for text in ["x", "I have refunded you", "Send your PIN"] {
        let _ = reading().review(text);
    }
    assert!(patterns::every().iter().all(|compiled| *compiled));
}

#[test]
fn identifiers_must_be_known_in_any_spelling() {
    stops(
        &reading(),
        "identifiers",
        &[
            "Order HP-10043 is on its way.",
            "Order HP‑10043 is on its way.",
            "Order HP-1004\u{200B}3.",
            "Order HP 10043.",
            "Tracking 1Z999AA10123456784.",
            "Tracking NL4821077316.",
            "Return RT-20001 is ready.",
            "Order H P 1 0 0 4 3.",
            "Order ＨＰ－１００４３.",
            "Order HP-١٠٠٤٣.",
            "Order #10043.",
            "Your code is WELCOME10.",
            "Order HP-66666.",
            "Order HP-77777.",
            "Order HP-55555.",
            "Ticket 4f9d2c1b.",
            "הזמנה HP-10043 בדרך",
            "HP_10043",
        ],
    );
    passes(
        &reading(),
        &[
            "Order HP-10042 (1 Gale 2 tent) has tracking number NL4821077315.",
            "Order HP‑10042.",
            "Order HP 10042.",
            "Order hp10042.",
            "Order #10042 goes to 12 Lake Street, Duluth, MN 55802.",
            "A 45l pack, a 3-season tent, size 10.",
            "1. First\n2. Second",
            "הזמנה HP-10042",
        ],
    );
    passes(&World { asks: true, ..reading() }, &["Is it HP-55555 that you mean?"]);
}

#[test]
fn amounts_must_be_known_in_any_formatting_and_their_currency() {
    stops(
        &reading(),
        "amounts",
        &[
            "You get $129.06.",
            "You get €129.05.",
            "You get 900 dollars.",
            "You get $900.",
            "You get 900.",
            "129,06 USD",
            "It is 12905 USD.",
            "$1,290.50",
            "USD 900",
            "It costs $3.",
            "12.50 for delivery",
        ],
    );
    passes(
        &reading(),
        &[
            "You get $129.05.",
            "The total is 129.05 USD.",
            "The total is USD 129,05.",
            "The total is 129,05 $.",
            "Delivery is free from $75.",
            "Delivery is free from $75.00.",
            "You have 2 items.",
            "It is 2026.",
        ],
    );
    passes(&World { asks: true, ..reading() }, &["You would like $900, is that right?"]);
}

#[test]
fn days_times_and_terms_must_be_known() {
    stops(
        &reading(),
        "dates",
        &[
            "It arrives on 25 November.",
            "It arrives on November 25.",
            "It arrives on 2026-11-25.",
            "It arrives on 25.11.2026.",
            "It arrives on Wednesday 24 November.",
            "It arrives on Thursday.",
            "It arrives the day after tomorrow.",
            "It arrives at 10:30.",
            "It arrives at 7 pm.",
            "Es kommt am 25. November.",
            "Il arrive le 25 novembre.",
            "Llega el 25 de noviembre.",
            "It arrives on 24 November 2027.",
        ],
    );
    stops(
        &reading(),
        "terms",
        &[
            "It takes 7 days.",
            "It takes seven days.",
            "It takes 3 to 7 working days.",
            "You get 10 %.",
            "In 2 hours.",
            "Es dauert 14 Tage.",
            "You have 30 days.",
            "5 weeks",
            "10% off",
        ],
    );
    passes(
        &reading(),
        &[
            "It arrives on Tuesday 24 November.",
            "It arrives on November 24.",
            "It arrives on 24.11.2026.",
            "It arrives on 11/24/2026.",
            "It arrives tomorrow.",
            "It arrives on Tuesday.",
            "It left on 20 November.",
            "We are back on Monday 08:00.",
            "We open at 8 am.",
            "Es kommt am Dienstag, 24. November.",
            "Il arrive le 24 novembre.",
            "It is 3 days late.",
            "It takes 3 to 5 working days.",
            "It takes 3-5 working days.",
            "It takes 5 working days.",
            "Send it back within 45 days.",
            "We ship on Friday.",
        ],
    );
}

#[test]
fn a_claim_of_an_action_needs_its_receipt_in_seven_languages() {
    let claims = [
        "I have refunded you.",
        "I've cancelled your order.",
        "We have sent a new one.",
        "Your refund has been issued.",
        "Your order is cancelled now.",
        "Done: all is well.",
        "All done!",
        "Your refund is on its way.",
        "It's done.",
        "No problem, I have refunded you.",
        "Refund issued.",
        "I just refunded the full amount.",
        "Ich habe Ihnen den Betrag erstattet.",
        "Ihre Bestellung wurde storniert.",
        "Wir haben das Geld überwiesen.",
        "J'ai annulé votre commande.",
        "Votre commande a été annulée.",
        "Nous avons remboursé le montant.",
        "He cancelado su pedido.",
        "Su pedido ha sido cancelado.",
        "Hemos reembolsado el importe.",
        "Sí, he cancelado su pedido.",
        "Ho annullato il suo ordine.",
        "Il suo ordine è stato annullato.",
        "Abbiamo rimborsato l'importo.",
        "Cancelei o seu pedido.",
        "O seu pedido foi cancelado.",
        "Reembolsamos o valor.",
        "Ik heb uw bestelling geannuleerd.",
        "Uw bestelling is geannuleerd.",
        "We hebben het bedrag terugbetaald.",
    ];
    stops(&reading(), "actions", &claims);
    let unknown = receipt("cancel_order", Effect::Write, CallStatus::Unknown, json!({"status": "cancelled"}));
    stops(
        &World { receipts: vec![order(), unknown], asks: false },
        "actions",
        &["I've cancelled your order.", "Done."],
    );
}

#[test]
fn what_was_done_and_what_is_recorded_may_be_said() {
    let cancelled =
        json!({"order_id": "HP-10042", "status": "cancelled", "refund_minor": 12_905, "currency": "USD"});
    let done = receipt("cancel_order", Effect::Write, CallStatus::Done, cancelled);
    passes(
        &World { receipts: vec![order(), done], asks: false },
        &[
            "Done: order HP-10042 is cancelled. $129.05 goes back to your original payment method.",
            "I have cancelled order HP-10042 and your refund has been issued.",
            "Ich habe Ihre Bestellung storniert.",
        ],
    );
    let link = receipt(
        "password_link",
        Effect::Write,
        CallStatus::Done,
        json!({"status": "sent", "sent_to_masked": "i**@example.org"}),
    );
    passes(
        &World { receipts: vec![link], asks: false },
        &["Done: a link for a new password was sent to i**@example.org. Only the newest link works."],
    );
    let free = receipt(
        "cancel_order",
        Effect::Write,
        CallStatus::Done,
        json!({"status": "cancelled", "refund_minor": 0}),
    );
    stops(&World { receipts: vec![free], asks: false }, "actions", &["I have refunded you."]);
    passes(
        &reading(),
        &[
            "Order HP-10042 was shipped on 20 November.",
            "Once your order is cancelled, you hear from us.",
            "If it has been sent, we cannot stop it.",
            "Refunds are sent to the original payment method.",
            "I could not cancel it. A colleague takes care of it.",
            "It can't be cancelled any more.",
            "I am passing this to a person: our Customer service team has your messages and will answer you here.",
            "All right, I have not done that.",
            "I have added this one for them.".replace("added this one", "your words").as_str(),
        ],
    );
}

#[test]
fn a_promise_needs_a_policy() {
    stops(
        &reading(),
        "promises",
        &[
            "We will refund you.",
            "You will receive a full refund.",
            "It will be refunded.",
            "I guarantee it.",
            "We promise it.",
            "Wir erstatten Ihnen alles.",
            "Nous vous rembourserons.",
            "Le reembolsaremos.",
            "La rimborseremo.",
            "Vamos reembolsar tudo.",
            "We zullen alles terugbetalen.",
        ],
    );
    passes(
        &World { asks: true, ..reading() },
        &["I will cancel order HP-10042 and refund $129.05. Shall I?"],
    );
}

proptest! {
    #[test]
    fn review_never_panics(text in ".{0,300}", tail in "[a-z0-9@:/.\\-€$%\u{200B}\u{202E}٣ß（ ]{0,120}", asks: bool) {
        let _ = World { receipts: vec![order()], asks }.review(&format!("{text}{tail}"));
    }
}

#[test]
fn what_procedures_and_phrases_say_passes() {
    passes(
        &reading(),
        &[
            "Order HP-10042 (1 Gale 2 tent) is with Northlane and is 3 days late: it was expected by Tuesday 24 November. Sorry about that. You can follow it here: https://track.northlane.example/NL4821077315",
            "I'm sorry: order HP-10042 (1 Gale 2 tent) is 3 days late, so we treat it as lost. You can choose between the same goods again and your money back, and a colleague arranges it.",
            "Order HP-10042 (1 Gale 2 tent) has not left us yet. If that is too late for you, I can cancel it free of charge.",
            "I can't find that order number in your account. Could you check it, or tell me what you ordered?",
            "Order HP-10042 is already with Northlane, so it can't be stopped any more. Accept the parcel and send it back unused within 45 days of delivery, the label is free. Just write to me when it is there.",
            "I could not start this change. A colleague takes care of it.",
            "Which order is it? The number starts with HP-.",
            "To look at that I need to be sure it is you. Please sign in on https://harborandpine.example and write to me from there. If you cannot sign in, say so and I will pass you to a person.",
            "I'm sorry, I found no answer to that in our help pages. Shall I pass you to a person?",
            "Something went wrong on our side just now, so I am passing this to a person who will answer you here.",
            "Your message arrived without any text. What can I do for you?",
            "A person already has your messages and will answer you here. I have added this one for them.",
        ],
    );
    passes(
        &reading(),
        &[
            "Unser Team antwortet Ihnen hier.",
            "Graag gedaan!",
            "De acuerdo, no lo he hecho.",
            "Va bene, non l'ho fatto.",
        ],
    );
    passes(
        &World { asks: true, ..reading() },
        &[
            "I will send a link for a new password to the email address of your account. Shall I?",
            "I will start changing the email of your account to new@me.example. A message goes to your old address, and the change is made once you confirm it there. Shall I?",
            "I will register a request to delete your account and your data. It cannot be undone: saved addresses, sizes and messages are erased, and we can't look up old orders afterwards. Shall I?",
        ],
    );
}
