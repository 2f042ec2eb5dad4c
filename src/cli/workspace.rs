//! Finds the workspace: the named one, the configuration file's folder, this folder, or the demo.

use std::path::{Path, PathBuf};

use super::{Failure, Globals};
use crate::config::{Config, Environment, Sources, setting_name};
use crate::demo;
use crate::knowledge::Origin;

/// The configuration file's name in a workspace.
const FILE: &str = "firstline.toml";

/// Where a command works.
#[derive(Clone)]
pub(super) struct Workspace {
    /// The folder.
    pub(super) folder: PathBuf,
    /// The configuration file's text and path; none for the demo.
    file: Option<(String, PathBuf)>,
    /// Whether this is the demo.
    pub(super) demo: bool,
    environment: Environment,
}

/// Where the demo's tools find the shop.
pub(super) struct ShopAddress {
    /// `http://127.0.0.1:<port>`.
    pub(super) url: String,
    /// What the shop asks for.
    pub(super) token: String,
}

impl Workspace {
    /// Finds the workspace that the command line means.
    pub(super) fn find(globals: &Globals) -> Result<Self, Failure> {
        let mut environment = Environment::of_process();
        if let Some(url) = &globals.database {
            environment = environment.with("FIRSTLINE__DATABASE__URL", url);
        }
        let named = globals.workspace.clone();
        if let Some(folder) = named.as_ref().filter(|folder| !folder.is_dir()) {
            return Err(Failure::Usage(format!(
                "`{}` is not a folder; name one with --workspace",
                folder.display()
            )));
        }
        let file = match (&globals.config, &named) {
            (Some(file), _) => Some(file.clone()),
            (None, Some(folder)) => Some(folder.join(FILE)).filter(|file| file.exists()),
            (None, None) => Some(PathBuf::from(FILE)).filter(|file| file.exists()),
        };
        let demo = file.is_none() && named.is_none();
        let folder =
            named.or_else(|| file.as_ref().map(|file| parent(file))).unwrap_or_else(|| PathBuf::from("."));
        let file = file
            .map(|file| {
                std::fs::read_to_string(&file)
                    .map(|text| (text, file.clone()))
                    .map_err(|error| Failure::Usage(format!("`{}` cannot be read: {error}", file.display())))
            })
            .transpose()?;
        Ok(Self { folder, file, demo, environment })
    }

    /// The same workspace with these settings, `(section, key, value)`, over those of its file.
    pub(super) fn with(&self, settings: &[(&str, &str, String)]) -> Self {
        let named = |environment: Environment, (section, key, value): &(&str, &str, String)| {
            environment.with(&setting_name(section, key), value)
        };
        Self { environment: settings.iter().fold(self.environment.clone(), named), ..self.clone() }
    }

    /// The settings. The demo's tools need to know where the shop is.
    pub(super) fn config(&self, shop: Option<&ShopAddress>) -> Result<Config, Failure> {
        let mut environment = self.environment.clone();
        if self.demo {
            let (url, token) = shop.map_or(("http://127.0.0.1:9", "none"), |shop| (&shop.url, &shop.token));
            environment = environment.with("SHOP_URL", url).with("SHOP_TOKEN", token);
        }
        let embedded = Path::new("the demo's firstline.toml");
        let file = match &self.file {
            Some((text, path)) => Some((text.as_str(), path.as_path())),
            None => self.demo.then_some((demo::CONFIG, embedded)),
        };
        Config::load(Sources { file, workspace: self.folder.clone(), environment }).map_err(Failure::usage)
    }

    /// Where the articles and procedures are: the folder, or the demo's own when there is none here.
    pub(super) fn origin(&self) -> Origin {
        let folder = self.folder.join("knowledge");
        if self.demo && !folder.is_dir() {
            Origin::Embedded(demo::knowledge())
        } else {
            Origin::Folder(folder)
        }
    }

    /// A folder for what need not be worked out again; none, said once, where nothing can be written.
    pub(super) fn cache(config: &Config) -> Option<PathBuf> {
        let cache = config.data_folder().join("cache");
        match std::fs::create_dir_all(&cache) {
            Ok(()) => Some(cache),
            Err(error) => {
                tracing::warn!(error = %error, "there is no cache: the data folder cannot be written");
                None
            }
        }
    }
}

fn parent(file: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        Some(_) | None => PathBuf::from("."),
    }
}
