//! How an operation wants to know who calls: headers from the environment, or credentials for a token.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use toml::Table;

use super::document::Document;
use super::{Trouble, snake_case};

/// What goes into every request.
#[derive(Default)]
pub(super) struct Keys {
    pub(super) headers: Vec<(String, String)>,
    pub(super) oauth2: Option<Table>,
    pub(super) secrets: BTreeSet<String>,
}

/// The first way of several that a tool can go.
pub(super) fn read(document: &Document, operation: &Value) -> Result<Keys, Trouble> {
    let declared = operation.get("security").or_else(|| document.root().get("security"));
    let ways = declared.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if ways.is_empty() || ways.iter().any(|way| way.as_object().is_some_and(Map::is_empty)) {
        return Ok(Keys::default());
    }
    let mut why = String::new();
    for way in ways {
        match one_way(document, way) {
            Ok(keys) => return Ok(keys),
            Err(Trouble::LeftOut(reason)) => why = reason,
            Err(broken @ Trouble::Broken(_)) => return Err(broken),
        }
    }
    Err(Trouble::LeftOut(why))
}

fn one_way(document: &Document, way: &Value) -> Result<Keys, Trouble> {
    let mut keys = Keys::default();
    for (name, scopes) in way.as_object().into_iter().flatten() {
        let scheme = document.root().pointer("/components/securitySchemes").and_then(|all| all.get(name));
        let Some(scheme) = scheme else {
            return Err(Trouble::Broken(format!(
                "the security scheme `{name}` is not declared; correct the document"
            )));
        };
        let scheme = document.follow(scheme)?;
        let text = |key: &str| scheme.get(key).and_then(Value::as_str).unwrap_or_default();
        let variable = snake_case(name).to_ascii_uppercase();
        match (text("type"), text("scheme").to_ascii_lowercase().as_str(), text("in")) {
            ("http", "bearer", _) => keys.header("Authorization", "Bearer ", &format!("{variable}_TOKEN")),
            ("http", "basic", _) => keys.header("Authorization", "Basic ", &format!("{variable}_BASE64")),
            ("apiKey", _, "header") => keys.header(text("name"), "", &format!("{variable}_KEY")),
            ("oauth2", ..) => keys.oauth2(scheme, &variable, scopes)?,
            (kind, ..) => {
                return Err(Trouble::LeftOut(format!(
                    "it wants `{name}`, a key of the kind `{kind}` that a tool cannot give"
                )));
            }
        }
    }
    Ok(keys)
}

impl Keys {
    fn header(&mut self, name: &str, before: &str, variable: &str) {
        self.headers.push((name.to_owned(), format!("{before}{}", from_environment(variable))));
        self.secrets.insert(variable.to_owned());
    }

    fn oauth2(&mut self, scheme: &Value, variable: &str, scopes: &Value) -> Result<(), Trouble> {
        let url = scheme.pointer("/flows/clientCredentials/tokenUrl").and_then(Value::as_str);
        let Some(url) = url.filter(|url| url.starts_with("http") && !url.contains(['{', '}'])) else {
            return Err(Trouble::LeftOut("it wants a token that only a person can get".to_owned()));
        };
        let (id, secret) = (format!("{variable}_CLIENT_ID"), format!("{variable}_CLIENT_SECRET"));
        let mut table = Table::from_iter([
            ("token_url".to_owned(), url.into()),
            ("client_id".to_owned(), from_environment(&id).into()),
            ("client_secret".to_owned(), from_environment(&secret).into()),
        ]);
        let scopes: Vec<&str> = scopes.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if !scopes.is_empty() && scopes.iter().all(|scope| !scope.contains(['{', '}'])) {
            table.insert("scope".to_owned(), scopes.join(" ").into());
        }
        self.oauth2 = Some(table);
        self.secrets.extend([id, secret]);
        Ok(())
    }
}

fn from_environment(variable: &str) -> String {
    format!("{{{{ env.{variable} }}}}")
}
