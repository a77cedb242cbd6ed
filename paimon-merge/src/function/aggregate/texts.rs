//! `listagg`.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray, StringBuilder};
use paimon_spec::Result;

use crate::function::history::{Aggregator, History};

/// The texts of each key that are not blank, with `delimiter` between them.
pub(super) fn listagg(
    values: &ArrayRef,
    delimiter: &str,
    distinct: bool,
    history: History<'_>,
    ignore_retract: bool,
) -> Result<ArrayRef> {
    let values = values.as_string::<i32>();
    let mut builder = StringBuilder::with_capacity(history.keys(), values.value_data().len());
    let mut texts = Texts { values, delimiter, distinct };
    history.fold(&mut texts, ignore_retract, |texts, text| {
        builder.append_option(text.as_ref().map(|text| texts.text(text)));
        Ok(())
    })?;
    Ok(Arc::new(builder.finish()))
}

struct Texts<'a> {
    values: &'a StringArray,
    delimiter: &'a str,
    distinct: bool,
}

enum Text {
    OfRow(usize),
    Built(String),
}

impl Texts<'_> {
    fn text<'t>(&'t self, text: &'t Text) -> &'t str {
        match text {
            Text::OfRow(row) => self.values.value(*row),
            Text::Built(text) => text,
        }
    }

    /// Nothing between delimiters means blanks (Java `splitByWholeSeparatorPreserveAllTokens`).
    fn split<'t>(&self, text: &'t str) -> impl Iterator<Item = &'t str> + use<'t, '_> {
        text.split(if self.delimiter.is_empty() { " " } else { self.delimiter })
    }
}

impl Aggregator for Texts<'_> {
    type Value = Text;

    fn value(&self, row: usize) -> Option<Text> {
        self.values.is_valid(row).then_some(Text::OfRow(row))
    }

    fn add(&mut self, old: Option<Text>, new: Option<Text>) -> Result<Option<Text>> {
        let Some(new) = new.filter(|new| !is_blank(self.text(new))) else { return Ok(old) };
        let Some(old) = old.filter(|old| !is_blank(self.text(old))) else { return Ok(Some(new)) };
        let added = self.text(&new);
        let mut text = match old {
            Text::Built(text) => text,
            Text::OfRow(row) => self.values.value(row).to_owned(),
        };
        if !self.distinct {
            text.push_str(self.delimiter);
            text.push_str(added);
            return Ok(Some(Text::Built(text)));
        }
        let mut addition = String::new();
        let mut tokens: HashSet<&str> = self.split(&text).collect();
        for token in self.split(added).filter(|token| !is_blank(token)) {
            if tokens.insert(token) {
                addition.push_str(self.delimiter);
                addition.push_str(token);
            }
        }
        drop(tokens);
        text.push_str(&addition);
        Ok(Some(Text::Built(text)))
    }
}

/// Whether there is nothing but what Java calls white space.
fn is_blank(text: &str) -> bool {
    let is_white_space = |c: char| match c {
        '\u{1c}'..='\u{1f}' => true,
        '\u{85}' | '\u{a0}' | '\u{2007}' | '\u{202f}' => false,
        c => c.is_whitespace(),
    };
    text.chars().all(is_white_space)
}
