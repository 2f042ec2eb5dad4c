//! Puts an answer together from what arrives: server-sent events, or one JSON document.

use super::super::ModelError;
use super::answer::{Answer, Call, CallDelta, Choice, Chunk, Content, Delta, usage};
use super::bounds::nests_within;
use super::failure;

/// An answer as far as it has come.
#[derive(Default)]
pub(super) struct Assembly {
    answer: Answer,
    /// The server's own number and name of each call, to know whose piece comes next.
    seen: Vec<(Option<u64>, String)>,
    /// What of the last line has come.
    line: Vec<u8>,
    /// The data lines of the event under way.
    event: Vec<u8>,
    begun: bool,
    as_events: bool,
    done: bool,
}

impl Assembly {
    /// Takes the next bytes. True when nothing more is needed.
    pub(super) fn take(&mut self, bytes: &[u8], depth_max: usize) -> Result<bool, ModelError> {
        if !self.begun {
            let Some(first) = bytes.iter().find(|byte| !byte.is_ascii_whitespace()) else {
                return Ok(false);
            };
            self.begun = true;
            // Events begin with a field name, a comment or a byte order mark; documents do not.
            self.as_events = !matches!(first, b'{' | b'[' | b'<');
        }
        if !self.as_events {
            self.event.extend_from_slice(bytes);
            return Ok(false);
        }
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") && !self.done {
                let line = std::mem::take(&mut self.line);
                self.read_line(line.trim_ascii_end(), depth_max)?;
            }
        }
        Ok(self.done)
    }

    /// Whether what comes is a stream, as far as can be told.
    pub(super) fn streams(&self) -> bool {
        self.as_events
    }

    /// The answer, once everything has come. `cut` says how the bytes ended otherwise.
    pub(super) fn end(mut self, depth_max: usize) -> Result<Answer, ModelError> {
        let line = std::mem::take(&mut self.line);
        if !self.done && self.as_events {
            self.read_line(line.trim_ascii_end(), depth_max)?;
        }
        let event = std::mem::take(&mut self.event);
        self.read_event(event.trim_ascii(), depth_max)?;
        if self.answer.finish.is_empty() {
            return Err(broken("the answer ended without a finish reason"));
        }
        Ok(self.answer)
    }

    fn read_line(&mut self, line: &[u8], depth_max: usize) -> Result<(), ModelError> {
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            return self.read_event(&event, depth_max);
        }
        if let Some(part) = line.strip_prefix(b"data:") {
            if !self.event.is_empty() {
                self.event.push(b'\n');
            }
            self.event.extend_from_slice(part.strip_prefix(b" ").unwrap_or(part));
        }
        Ok(())
    }

    fn read_event(&mut self, json: &[u8], depth_max: usize) -> Result<(), ModelError> {
        if json.is_empty() {
            return Ok(());
        }
        if json == b"[DONE]" {
            self.done = true;
            return Ok(());
        }
        if !nests_within(json, depth_max) {
            return Err(ModelError::Malformed("its JSON nests too deep"));
        }
        let chunk: Chunk<'_> = serde_json::from_slice(json).map_err(|error| {
            if error.is_eof() {
                broken("the answer ended in the middle of its JSON")
            } else {
                ModelError::Malformed("it is not the JSON of a chat completion")
            }
        })?;
        if let Some(error) = chunk.error {
            return Err(failure::of_event(error));
        }
        if let Some(model) = chunk.model.filter(|model| !model.is_empty()) {
            self.answer.model = Some(model);
        }
        if let Some(reported) = chunk.usage.and_then(usage) {
            self.answer.usage = Some(reported);
        }
        for choice in chunk.choices.unwrap_or_default() {
            if choice.index.unwrap_or(0) == 0 {
                self.add(choice)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, choice: Choice<'_>) -> Result<(), ModelError> {
        if let Some(delta) = choice.delta {
            self.add_words(&delta)?;
            for call in delta.tool_calls.unwrap_or_default() {
                self.add_call(call)?;
            }
        }
        if let Some(reason) = choice.finish_reason.filter(|reason| !reason.is_empty()) {
            self.answer.finish = reason;
        }
        Ok(())
    }

    fn add_words(&mut self, delta: &Delta<'_>) -> Result<(), ModelError> {
        if delta.role.as_deref().is_some_and(|role| !role.is_empty() && role != "assistant") {
            return Err(ModelError::Malformed("it speaks in a role that is not its own"));
        }
        self.answer.refused |= delta.refusal.as_deref().is_some_and(|refusal| !refusal.is_empty());
        match &delta.content {
            None => {}
            Some(Content::Text(text)) => self.answer.text.push_str(text),
            Some(Content::Parts(parts)) => {
                for part in parts {
                    self.answer.text.push_str(part.text.as_deref().unwrap_or_default());
                    self.answer.refused |= part.refusal.is_some();
                }
            }
        }
        Ok(())
    }

    fn add_call(&mut self, piece: CallDelta<'_>) -> Result<(), ModelError> {
        let id = piece.id.unwrap_or_default();
        let (name, arguments) =
            piece.function.map_or((String::new(), None), |f| (f.name.unwrap_or_default(), f.arguments));
        let at = if let Some(at) = self.whose(piece.index, &id, &name) {
            at
        } else {
            self.seen.push((piece.index, id.clone()));
            self.answer.calls.push(Call { id, ..Call::default() });
            self.answer.calls.len() - 1
        };
        let Some(call) = self.answer.calls.get_mut(at) else { return Ok(()) };
        if call.name != name {
            call.name.push_str(&name);
        }
        match arguments.map(serde_json::value::RawValue::get) {
            None | Some("null") => {}
            Some(text) if text.starts_with('"') => {
                let text: String = serde_json::from_str(text)
                    .map_err(|_| ModelError::Malformed("the arguments of a call are not text"))?;
                call.arguments.push_str(&text);
            }
            Some(object) => call.arguments.push_str(object),
        }
        Ok(())
    }

    /// The call that a piece belongs to; none when it begins a new one. Some servers number every call 0,
    /// some do not number them, some do not name them.
    fn whose(&self, index: Option<u64>, id: &str, name: &str) -> Option<usize> {
        let fits = |(seen_index, seen_id): &(Option<u64>, String)| {
            let same_number = index.is_none() || *seen_index == index;
            let same_id = id.is_empty() || seen_id.is_empty() || seen_id == id;
            same_number && same_id
        };
        let at = self.seen.iter().rposition(fits)?;
        let begins = id.is_empty() && !name.is_empty();
        let whole = self.answer.calls.get(at).is_some_and(|call| !call.arguments.is_empty());
        if begins && whole { None } else { Some(at) }
    }
}

fn broken(cause: &str) -> ModelError {
    ModelError::Unavailable { cause: cause.to_owned(), after_ms: None }
}
