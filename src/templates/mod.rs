//! Texts and conditions as templates: one strict engine for procedures, tools, phrases and pages.

use std::collections::BTreeSet;
use std::sync::{PoisonError, RwLock};

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde::Serialize;
use serde_json::Value;

mod filters;
mod phrases;
mod prompts;

pub use phrases::{LANGUAGES, Phrases};
pub use prompts::Prompts;

/// Compiled templates kept; above this many the cache starts anew.
const CACHED_TEMPLATES_MAX: usize = 4096;

/// Why a template or an expression could not be used, with its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TemplateError(String);

impl TemplateError {
    fn new(error: &minijinja::Error) -> Self {
        let detail = error.detail().map_or_else(String::new, |detail| format!(": {detail}"));
        let place = error.line().map_or_else(String::new, |line| format!(" (line {line})"));
        Self(format!("{}{detail}{place}", error.kind()))
    }
}

/// The engine: strict about undefined names, with our filters; templates are compiled once.
pub struct Templates {
    environment: RwLock<Environment<'static>>,
}

impl Default for Templates {
    fn default() -> Self {
        Self::new()
    }
}

impl Templates {
    /// Sets the engine up.
    pub fn new() -> Self {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|name| {
            if name.starts_with(Form::Json.prefix()) {
                AutoEscape::Json
            } else if name.starts_with(Form::Html.prefix()) {
                AutoEscape::Html
            } else {
                AutoEscape::None
            }
        });
        filters::add(&mut environment);
        Self { environment: RwLock::new(environment) }
    }

    /// Renders `source` as plain text.
    pub fn render(&self, source: &str, context: impl Serialize) -> Result<String, TemplateError> {
        self.render_as(Form::Text, source, &context)
    }

    /// Renders `source` as JSON text: whatever is inserted is a whole JSON value and cannot change
    /// the structure around it.
    pub fn render_json(&self, source: &str, context: impl Serialize) -> Result<String, TemplateError> {
        self.render_as(Form::Json, source, &context)
    }

    /// Renders `source` as HTML: whatever is inserted is text and never markup.
    pub fn render_html(&self, source: &str, context: impl Serialize) -> Result<String, TemplateError> {
        self.render_as(Form::Html, source, &context)
    }

    /// The value of an expression such as `order.days_late`; undefined is an error.
    pub fn evaluate(&self, expression: &str, context: impl Serialize) -> Result<Value, TemplateError> {
        let value = self.value(expression, &context)?;
        serde_json::to_value(value)
            .map_err(|error| TemplateError(format!("`{expression}` has no JSON value: {error}")))
    }

    /// Whether an expression such as `order.days_late > 5` holds; undefined is an error.
    pub fn condition(&self, expression: &str, context: impl Serialize) -> Result<bool, TemplateError> {
        Ok(self.value(expression, &context)?.is_true())
    }

    /// Names a template takes from outside, with the path as far as it is plain: `slots.order_id`.
    pub fn references(&self, source: &str) -> Result<BTreeSet<String>, TemplateError> {
        let environment = self.environment.read().unwrap_or_else(PoisonError::into_inner);
        let template = environment.template_from_str(source).map_err(|e| TemplateError::new(&e))?;
        Ok(without_globals(&environment, template.undeclared_variables(true)))
    }

    /// Names an expression takes from outside, as [`Templates::references`].
    pub fn references_of_expression(&self, source: &str) -> Result<BTreeSet<String>, TemplateError> {
        let environment = self.environment.read().unwrap_or_else(PoisonError::into_inner);
        let expression = environment.compile_expression(source).map_err(|e| TemplateError::new(&e))?;
        Ok(without_globals(&environment, expression.undeclared_variables(true)))
    }

    fn render_as(&self, form: Form, source: &str, context: &impl Serialize) -> Result<String, TemplateError> {
        let name = format!("{}{source}", form.prefix());
        {
            let environment = self.environment.read().unwrap_or_else(PoisonError::into_inner);
            if let Ok(template) = environment.get_template(&name) {
                return template
                    .render(minijinja::Value::from(Serde(context)))
                    .map_err(|e| TemplateError::new(&e));
            }
        }
        let mut environment = self.environment.write().unwrap_or_else(PoisonError::into_inner);
        if environment.templates().count() >= CACHED_TEMPLATES_MAX {
            environment.clear_templates();
        }
        environment
            .add_template_owned(name.clone(), source.to_owned())
            .map_err(|e| TemplateError::new(&e))?;
        let template = environment.get_template(&name).map_err(|e| TemplateError::new(&e))?;
        template.render(minijinja::Value::from(Serde(context))).map_err(|e| TemplateError::new(&e))
    }

    fn value(&self, source: &str, context: &impl Serialize) -> Result<minijinja::Value, TemplateError> {
        let environment = self.environment.read().unwrap_or_else(PoisonError::into_inner);
        let expression = environment.compile_expression(source).map_err(|e| TemplateError::new(&e))?;
        let value =
            expression.eval(minijinja::Value::from(Serde(context))).map_err(|e| TemplateError::new(&e))?;
        if value.is_undefined() {
            return Err(TemplateError(format!("`{source}` is undefined")));
        }
        Ok(value)
    }
}

/// How inserted values are written.
#[derive(Clone, Copy)]
enum Form {
    Text,
    Json,
    Html,
}

impl Form {
    fn prefix(self) -> &'static str {
        match self {
            Self::Text => "text:",
            Self::Json => "json:",
            Self::Html => "html:",
        }
    }
}

fn without_globals(
    environment: &Environment<'_>,
    names: impl IntoIterator<Item = String>,
) -> BTreeSet<String> {
    let globals: BTreeSet<String> = environment.globals().map(|(name, _)| name.to_owned()).collect();
    names.into_iter().filter(|name| !globals.contains(name.split('.').next().unwrap_or_default())).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_name_that_is_not_defined_is_an_error_wherever_it_stands() {
        let templates = Templates::new();
        let context = json!({"order": {"id": "HP-10042"}});
        assert!(templates.render("{{ order.eta }}", &context).is_err());
        assert!(templates.render("{{ orders }}", &context).is_err());
        assert!(templates.render("{% if order.late %}x{% endif %}", &context).is_err());
        for expression in ["order.late", "order.late > 5", "not order.late", "nothing", "order.late and true"]
        {
            assert!(templates.condition(expression, &context).is_err(), "{expression}");
            assert!(templates.evaluate(expression, &context).is_err(), "{expression}");
        }
        assert_eq!(templates.render("{{ order.eta | default('soon') }}", &context).unwrap(), "soon");
    }

    #[test]
    fn conditions_and_expressions_see_json_as_it_is() {
        let templates = Templates::new();
        let context = json!({"order": {"days_late": 6, "eta": null, "total_minor": i64::MAX}});
        assert!(templates.condition("order.days_late > 5", &context).unwrap());
        assert!(!templates.condition("order.eta", &context).unwrap());
        assert_eq!(templates.evaluate("order.total_minor", &context).unwrap(), json!(i64::MAX));
        assert_eq!(templates.evaluate("order.eta", &context).unwrap(), json!(null));
    }

    #[test]
    fn the_same_template_renders_again_from_the_cache_with_another_context() {
        let templates = Templates::new();
        for n in [1, 2, 3] {
            assert_eq!(templates.render("n is {{ n }}", json!({"n": n})).unwrap(), format!("n is {n}"));
        }
        assert!(templates.render("{{ n", json!({})).is_err());
    }

    #[test]
    fn text_put_into_json_cannot_change_the_structure_around_it() {
        let templates = Templates::new();
        let context = json!({"arguments": {"reason": "x\",\"amount_minor\":\"1", "n": 3}});
        let body = templates
            .render_json(r#"{"reason": {{ arguments.reason }}, "all": {{ arguments | tojson }}}"#, &context)
            .unwrap();
        let parsed: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(parsed, json!({"reason": context["arguments"]["reason"], "all": context["arguments"]}));
    }

    #[test]
    fn references_are_the_names_taken_from_outside() {
        let templates = Templates::new();
        let names = templates
            .references("{% set a = slots.order_id %}{{ a }} {{ order.eta | date }} {{ range(3) }}")
            .unwrap();
        assert_eq!(names, BTreeSet::from(["order.eta".to_owned(), "slots.order_id".to_owned()]));
        let names = templates.references_of_expression("order.days_late > 5 and customer.name").unwrap();
        assert_eq!(names, BTreeSet::from(["customer.name".to_owned(), "order.days_late".to_owned()]));
        assert!(templates.references("{{ x").is_err());
    }
}
