//! Knowledge.
mod article; mod front; mod index; mod markdown; mod problem; mod rank; mod sentences; mod shelf; mod source; mod spelling; mod terms;
pub use article::Article; pub use source::{Origin, Source}; pub use problem::Problem;
pub struct K { shelves: Vec<(String, shelf::Shelf)>, index: index::Index, pub articles: Vec<Article> }
impl K {
  pub fn new(articles: Vec<Article>) -> K {
    let mut codes: Vec<String> = articles.iter().map(|a| a.language.clone()).collect(); codes.sort(); codes.dedup();
    let mut shelves = vec![]; let mut fields = vec![];
    for c in codes { let (s, f) = shelf::Shelf::new(&c, articles.iter().enumerate().filter(|(_, a)| a.language == c)); shelves.push((c.clone(), s)); fields.push((c, f)); }
    let (index, _) = index::Index::open(None, "x", &fields).unwrap();
    K { shelves, index, articles }
  }
  pub fn search(&self, q: &str) -> (Vec<(String, f32)>, rank::Evidence) {
    let (c, s) = &self.shelves[0];
    let (terms, pairs) = s.query(q);
    let found = rank::rank(&self.index, c, s, &terms, &pairs);
    let ev = found.first().map(|f| f.evidence.clone()).unwrap_or_default();
    (found.iter().map(|f| (self.articles[f.article].id.clone(), f.score)).collect(), ev)
  }
}
pub fn parse(file: &str, text: &str) -> Result<Article, Vec<Problem>> { article::parse(file, text, 900) }
