//! Firstline, a digital worker for customer support. This page is the architecture.
//!
//! A message arrives on any channel. Firstline knows who wrote it, continues the case that person
//! already has, decides whether it is Tier-1 work, looks it up in one shared knowledge base, acts
//! through tools, checks what it is about to say, and either resolves the case in its channel or
//! hands it to the right person with everything that person needs.
//!
//! # The map, and who may import whom
//!
//! | Layer | Modules | May import |
//! |---|---|---|
//! | 0 | [`domain`] what things are; [`failpoints`] where a test may kill the process | nothing of ours |
//! | 1 | [`config`] [`telemetry`] [`language`] [`templates`] [`charts`] plots as SVG | 0 |
//! | 2 | [`store`] all SQL; [`knowledge`] articles, procedures, search; [`channels`] adapters; [`llm`] the wire to models | 0-1, never each other |
//! | 3 | [`tools`] what may be called, and the operator's CRM; [`desk`] the human side | 0-2, never each other |
//! | 4 | [`assistant`] who proposes a step | 0-3 |
//! | 5 | [`pipeline`] the life of a message | 0-4; a stage never imports another stage (below) |
//! | 6 | [`app`] builds every component once | 0-5 |
//! | 7 | [`web`] the edge; [`demo`] a shop; [`providers`] the media played; [`evals`] measuring | 0-6, never each other |
//! | 8 | [`cli`] and `main` | all |
//!
//! `tests/tidy.rs` enforces the table, with one exception: `telemetry` reads the settings of `config`. The
//! stages of the pipeline (`ingest`, `triage`, `guard`, `deliver`, …) meet only in `pipeline::mod`. A turn is one
//! stage in eight files that know each other: `turn` holds it, `acquaint` asks the CRM who writes, `resolve` works on it (and asks `guard`), `doubt` asks whether a
//! message belongs to the case, `effect` calls the tools (writes by way of `write`), `settle` commits it, `handoff` passes it on. `approve` carries out what
//! a person allowed, by the same `write`, and `housekeeping` asks it about one whose process died.
//! `write_back` tells the CRM and subscribers what became of cases, and asks `elsewhere` about those that another desk has.
//! `counting` adds them to the measures, `weekly` tells of them.
//! `suggest` goes the turn's way for an agent who only wants to see.
//!
//! Deliberately absent: SQL outside `store`, `tantivy` outside
//! `knowledge`, `axum` outside `web`, `demo` and `providers` (and the listeners in `cli::serve`, `cli::shop` and `cli::audit`), `minijinja`
//! outside `templates`, `async-openai` outside `llm::openai`, `rmcp` outside `tools::mcp`, `opentelemetry` outside
//! `telemetry`, environment reads outside `config`, clock reads outside `app` and `main`.
//!
//! # Where to begin
//!
//! [`pipeline`] holds the worker loop, calls the stages in order, and is the only place that knows
//! the order. Its invariants:
//!
//! 1. A message is stored before it is acknowledged, and a stored message has an open turn, a person,
//!    or a recorded end. Nothing in between survives a commit.
//! 2. One open turn per case (a unique index), held by a lease whose epoch is in every write of it.
//! 3. Every effect outside is claimed in the ledger before it is sent, under a key that the message
//!    which said yes determines. A lost answer is *unknown* and goes to a person, never repeated.
//! 4. The transaction that records an answer checks that the case is unchanged since it was read.
//! 5. What leaves has passed [`pipeline`]'s guard; what is called has passed `tools::authority`.

pub mod app;
pub mod assistant;
pub mod channels;
pub mod charts;
pub mod cli;
pub mod config;
pub mod demo;
pub mod desk;
pub mod domain;
pub mod evals;
pub mod failpoints;
pub mod knowledge;
pub mod language;
pub mod llm;
pub mod pipeline;
pub mod providers;
pub mod store;
pub mod telemetry;
pub mod templates;
pub mod tools;
pub mod web;
