//! What leaves by WhatsApp: text, buttons, a list, or what was approved beforehand.

use serde_json::{Value, json};

use super::{Template, WhatsApp};
use crate::channels::content::one_line;
use crate::channels::files::Kind;
use crate::channels::{ChannelError, File, Outgoing, rules};

/// Most reply buttons, and the longest words on one.
const BUTTONS_MAX: usize = 3;
const BUTTON_CHARS_MAX: usize = 20;
/// Longest text above buttons, from memory; a list takes as much as a plain message.
const BUTTON_TEXT_CHARS_MAX: usize = 1024;
/// Longest variable of a template that is sent, from memory: the whole body may have 1024 characters.
const VARIABLE_CHARS_MAX: usize = 900;
/// What opens a list, in the customer's language.
const LIST_PHRASE: &str = "choose_from_list";
/// Field in which our id of a delivery travels and comes back with each status. From memory.
pub(super) const CALLBACK_FIELD: &str = "biz_opaque_callback_data";

impl WhatsApp {
    /// The request that sends one part.
    pub(super) fn shaped(&self, outgoing: &Outgoing<'_>) -> Result<Value, ChannelError> {
        let (kind, content) = if let Some(file) = outgoing.files.first() {
            attached(outgoing, file)?
        } else if outgoing.window_open {
            self.free(outgoing)
        } else {
            let template = self.template.as_ref().ok_or_else(|| {
                let why = "131047 more than 24 hours since the customer wrote, and [whatsapp] template_name is empty";
                ChannelError::Permanent(why.to_owned())
            })?;
            ("template", approved(template, outgoing))
        };
        let mut body = json!({"messaging_product": "whatsapp", "recipient_type": "individual", "type": kind});
        let to = outgoing.delivery.conversation.as_str();
        // Who hides the number is known by an id of Meta's own, which goes elsewhere. From memory.
        let place = if to.bytes().all(|b| b.is_ascii_digit()) { "to" } else { "recipient" };
        body[place] = to.into();
        body[kind] = content;
        body[CALLBACK_FIELD] = outgoing.delivery.id.as_str().into();
        Ok(body)
    }

    fn free(&self, outgoing: &Outgoing<'_>) -> (&'static str, Value) {
        let (text, choices) = (outgoing.text, outgoing.choices);
        if choices.is_empty() {
            return ("text", json!({"preview_url": false, "body": text}));
        }
        let short = |choice: &String| choice.chars().count() <= BUTTON_CHARS_MAX;
        let numbered = choices.iter().enumerate();
        let interactive = if choices.len() <= BUTTONS_MAX
            && choices.iter().all(short)
            && text.chars().count() <= BUTTON_TEXT_CHARS_MAX
        {
            let button = |(at, title)| json!({"type": "reply", "reply": {"id": id(at), "title": title}});
            let buttons: Vec<Value> = numbered.map(button).collect();
            json!({"type": "button", "body": {"text": text}, "action": {"buttons": buttons}})
        } else {
            let rows: Vec<Value> =
                numbered.map(|(at, title)| json!({"id": id(at), "title": title})).collect();
            let label = one_line(&self.phrases.say(outgoing.language, LIST_PHRASE, ()), BUTTON_CHARS_MAX);
            let action = json!({"button": label, "sections": [{"rows": rows}]});
            json!({"type": "list", "body": {"text": text}, "action": action})
        };
        ("interactive", interactive)
    }
}

/// As what a file leaves; nothing is approved beforehand that could carry one.
pub(super) fn kind(outgoing: &Outgoing<'_>, file: &File) -> Result<&'static Kind, ChannelError> {
    if !outgoing.window_open {
        let why = "131047 more than 24 hours since the customer wrote: no file can be sent then";
        return Err(ChannelError::Permanent(why.to_owned()));
    }
    let kind = rules::of(super::NAME).files.kind(&file.content_type, file.content.len());
    kind.ok_or_else(|| ChannelError::Permanent("131053 no file that WhatsApp takes".to_owned()))
}

/// A file that has been brought.
fn attached(outgoing: &Outgoing<'_>, file: &File) -> Result<(&'static str, Value), ChannelError> {
    let kind = kind(outgoing, file)?;
    let brought = outgoing.uploaded.ok_or_else(|| ChannelError::later("the file was not brought"))?;
    let mut content = json!({"id": brought});
    if kind.name == "document" {
        content["filename"] = file.name.as_str().into();
    }
    Ok((kind.name, content))
}

fn id(at: usize) -> String {
    format!("choice-{}", at + 1)
}

/// The approved text with the answer as its variable, which may hold no line break.
fn approved(template: &Template, outgoing: &Outgoing<'_>) -> Value {
    let choices = outgoing.choices.iter().enumerate().map(|(at, choice)| format!(" {}. {choice}", at + 1));
    let text: String = std::iter::once(outgoing.text.to_owned()).chain(choices).collect();
    let parameter = json!({"type": "text", "text": one_line(&text, VARIABLE_CHARS_MAX)});
    json!({
        "name": template.name,
        "language": {"code": template.language},
        "components": [{"type": "body", "parameters": [parameter]}],
    })
}
