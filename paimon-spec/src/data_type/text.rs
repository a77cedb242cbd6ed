//! The SQL spelling of types: grammar and printing (Java `DataTypeJsonParser` and `DataType.asSQLString`).

use std::fmt;
use std::str::FromStr;

use super::{DataField, DataType, FieldId, GEOGRAPHY_ALGORITHMS, TypeKind, nesting_error};
use crate::{Error, Result};

const DEFAULT_CRS: &str = "OGC:CRS84";

impl DataType {
    /// Parses the SQL spelling of a type, such as `decimal(10, 2) not null`.
    ///
    /// Keywords are case-insensitive. `ARRAY<T>`, `MAP<K, V>`, `MULTISET<T>`, `ROW<name T 'comment', ..>` and the
    /// suffix forms `T ARRAY` and `T MULTISET` are understood; the fields of rows are numbered from 0.
    ///
    /// # Errors
    /// `InvalidInput` when the text is not a type, or has a length or precision out of range.
    ///
    /// ```
    /// use paimon_spec::DataType;
    ///
    /// assert_eq!(DataType::parse("numeric(20,2) not null")?.to_string(), "DECIMAL(20, 2) NOT NULL");
    /// assert!(DataType::parse("INT INT").is_err());
    /// # Ok::<(), paimon_spec::Error>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self> {
        let parsed = tokenize(text).and_then(|tokens| {
            let mut parser = Parser { tokens: &tokens, position: 0, next_id: 0 };
            let data_type = parser.data_type(1)?;
            match parser.tokens.get(parser.position) {
                None => Ok(data_type),
                Some(token) => Err(Error::invalid(format!("expected the end of the type, found {token}"))),
            }
        });
        let data_type = parsed.map_err(|error| error.with_context("type", text))?;
        data_type.validate().map_err(|error| error.with_context("type", text))?;
        Ok(data_type)
    }
}

impl FromStr for DataType {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    /// One of `< > ( ) , .`
    Symbol(char),
    /// Digits.
    Number(u32),
    /// `'text'`
    Text(String),
    /// `` `name` ``: never a keyword.
    Quoted(String),
    /// Anything else up to the next white space or symbol; keywords are told apart by the parser.
    Word(String),
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Token::Symbol(symbol) => write!(f, "'{symbol}'"),
            Token::Number(number) => write!(f, "'{number}'"),
            Token::Text(text) => write!(f, "the text '{text}'"),
            Token::Quoted(name) => write!(f, "`{name}`"),
            Token::Word(word) => write!(f, "'{word}'"),
        }
    }
}

fn is_delimiter(c: char) -> bool {
    c.is_whitespace() || matches!(c, '<' | '>' | '(' | ')' | ',' | '.')
}

fn tokenize(text: &str) -> Result<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, used) = match first {
            '<' | '>' | '(' | ')' | ',' | '.' => (Token::Symbol(first), 1),
            '\'' => unquote(rest, '\'').map(|(inner, used)| (Token::Text(inner), used))?,
            '`' => unquote(rest, '`').map(|(inner, used)| (Token::Quoted(inner), used))?,
            '0'..='9' => {
                let used = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
                let digits = &rest[..used];
                let number = digits.parse::<i32>().ok().and_then(|number| u32::try_from(number).ok());
                let number =
                    number.ok_or_else(|| Error::invalid(format!("expected a 32-bit number, found {digits}")))?;
                (Token::Number(number), used)
            }
            _ => {
                let used = rest.find(is_delimiter).unwrap_or(rest.len());
                (Token::Word(rest[..used].to_owned()), used)
            }
        };
        tokens.push(token);
        rest = rest[used..].trim_start();
    }
    Ok(tokens)
}

/// The text between `quote`s at the start of `text`, in which a doubled quote stands for one, and the bytes it took.
fn unquote(text: &str, quote: char) -> Result<(String, usize)> {
    let mut inner = String::new();
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c != quote {
            inner.push(c);
        } else if chars.next_if(|(_, next)| *next == quote).is_some() {
            inner.push(quote);
        } else {
            return Ok((inner, at + quote.len_utf8()));
        }
    }
    Err(Error::invalid(format!("expected a closing {quote}")))
}

struct Parser<'t> {
    tokens: &'t [Token],
    position: usize,
    next_id: FieldId,
}

impl Parser<'_> {
    /// A type, its nullability, and suffixes.
    fn data_type(&mut self, depth: usize) -> Result<DataType> {
        if depth > DataType::MAX_NESTING {
            return Err(nesting_error());
        }
        let kind = self.kind(depth)?;
        let mut data_type = DataType { kind, nullable: self.nullability() };
        // One suffix at most, as Java has it.
        if self.take_word("ARRAY") {
            data_type = DataType { kind: TypeKind::Array(Box::new(data_type)), nullable: self.nullability() };
        } else if self.take_word("MULTISET") {
            data_type = DataType { kind: TypeKind::Multiset(Box::new(data_type)), nullable: self.nullability() };
        }
        Ok(data_type)
    }

    fn nullability(&mut self) -> bool {
        if self.take_words(&["NOT", "NULL"]) {
            return false;
        }
        self.take_word("NULL");
        true
    }

    fn kind(&mut self, depth: usize) -> Result<TypeKind> {
        let word = match self.next()? {
            Token::Word(word) => word.to_ascii_uppercase(),
            other => return Err(Error::invalid(format!("expected the name of a type, found {other}"))),
        };
        Ok(match word.as_str() {
            "CHAR" => TypeKind::Char(self.length()?),
            "VARCHAR" => TypeKind::VarChar(self.length()?),
            "STRING" => TypeKind::VarChar(DataType::MAX_LENGTH),
            "BOOLEAN" => TypeKind::Boolean,
            "BINARY" => TypeKind::Binary(self.length()?),
            "VARBINARY" => TypeKind::VarBinary(self.length()?),
            "BYTES" => TypeKind::VarBinary(DataType::MAX_LENGTH),
            "DECIMAL" | "NUMERIC" | "DEC" => self.decimal()?,
            "TINYINT" => TypeKind::TinyInt,
            "SMALLINT" => TypeKind::SmallInt,
            "INT" | "INTEGER" => TypeKind::Int,
            "BIGINT" => TypeKind::BigInt,
            "FLOAT" => TypeKind::Float,
            "DOUBLE" => {
                self.take_word("PRECISION");
                TypeKind::Double
            }
            "DATE" => TypeKind::Date,
            "TIME" => {
                let precision = self.precision(0)?;
                self.without_time_zone()?;
                TypeKind::Time(precision)
            }
            "TIMESTAMP" => {
                let precision = self.precision(6)?;
                if self.take_words(&["WITH", "LOCAL", "TIME", "ZONE"]) {
                    TypeKind::TimestampLtz(precision)
                } else {
                    self.without_time_zone()?;
                    TypeKind::Timestamp(precision)
                }
            }
            "TIMESTAMP_LTZ" => TypeKind::TimestampLtz(self.precision(6)?),
            "VARIANT" => TypeKind::Variant,
            "BLOB" => TypeKind::Blob,
            "GEOMETRY" => self.geometry()?,
            "GEOGRAPHY" => self.geography()?,
            "ARRAY" => TypeKind::Array(Box::new(self.only_element(depth)?)),
            "MULTISET" => TypeKind::Multiset(Box::new(self.only_element(depth)?)),
            "MAP" => {
                self.expect('<')?;
                let key = self.data_type(depth + 1)?;
                self.expect(',')?;
                let value = self.data_type(depth + 1)?;
                self.expect('>')?;
                TypeKind::Map(Box::new(key), Box::new(value))
            }
            "VECTOR" => {
                self.expect('<')?;
                let element = self.data_type(depth + 1)?;
                self.expect(',')?;
                let length = self.number()?;
                self.expect('>')?;
                TypeKind::Vector(Box::new(element), length)
            }
            "ROW" => TypeKind::Row(self.row(depth)?),
            _ => return Err(Error::invalid(format!("expected the name of a type, found '{word}'"))),
        })
    }

    fn only_element(&mut self, depth: usize) -> Result<DataType> {
        self.expect('<')?;
        let element = self.data_type(depth + 1)?;
        self.expect('>')?;
        Ok(element)
    }

    fn row(&mut self, depth: usize) -> Result<Vec<DataField>> {
        self.expect('<')?;
        let mut fields = Vec::new();
        if self.take('>') {
            return Ok(fields);
        }
        loop {
            let name = match self.next()? {
                Token::Word(name) | Token::Quoted(name) => name.clone(),
                other => return Err(Error::invalid(format!("expected the name of a field, found {other}"))),
            };
            let mut field = DataField::new(0, name, self.data_type(depth + 1)?);
            self.take_word("COMMENT");
            if let Some(Token::Text(text)) = self.tokens.get(self.position) {
                field.description = Some(text.clone());
                self.position += 1;
            }
            field.id = self.next_id;
            self.next_id += 1;
            fields.push(field);
            if self.take('>') {
                return Ok(fields);
            }
            self.expect(',')?;
        }
    }

    /// `(n)`; 1 when absent.
    fn length(&mut self) -> Result<u32> {
        if !self.take('(') {
            return Ok(1);
        }
        let length = self.number()?;
        self.expect(')')?;
        Ok(length)
    }

    fn precision(&mut self, default: u8) -> Result<u8> {
        if !self.take('(') {
            return Ok(default);
        }
        let precision = self.small_number()?;
        self.expect(')')?;
        Ok(precision)
    }

    fn decimal(&mut self) -> Result<TypeKind> {
        let (mut precision, mut scale) = (10, 0);
        if self.take('(') {
            precision = self.small_number()?;
            if self.take(',') {
                scale = self.small_number()?;
            }
            self.expect(')')?;
        }
        Ok(TypeKind::Decimal { precision, scale })
    }

    fn without_time_zone(&mut self) -> Result<()> {
        if self.take_word("WITHOUT") && !self.take_words(&["TIME", "ZONE"]) {
            return Err(Error::invalid("expected TIME ZONE after WITHOUT"));
        }
        Ok(())
    }

    fn geometry(&mut self) -> Result<TypeKind> {
        let mut crs = DEFAULT_CRS.to_owned();
        if self.take('(') {
            crs = self.parameter()?;
            self.expect(')')?;
        }
        Ok(TypeKind::Geometry(crs))
    }

    fn geography(&mut self) -> Result<TypeKind> {
        let (mut crs, mut algorithm) = (DEFAULT_CRS.to_owned(), GEOGRAPHY_ALGORITHMS[0].to_owned());
        if self.take('(') {
            crs = self.parameter()?;
            if self.take(',') {
                algorithm = self.parameter()?.to_ascii_lowercase();
            }
            self.expect(')')?;
        }
        Ok(TypeKind::Geography(crs, algorithm))
    }

    fn parameter(&mut self) -> Result<String> {
        match self.next()? {
            Token::Word(text) | Token::Quoted(text) | Token::Text(text) => Ok(text.clone()),
            other => Err(Error::invalid(format!("expected a name, found {other}"))),
        }
    }

    fn next(&mut self) -> Result<&Token> {
        let token = self.tokens.get(self.position);
        self.position += 1;
        token.ok_or_else(|| Error::invalid("expected more, found the end of the type"))
    }

    fn number(&mut self) -> Result<u32> {
        match self.next()? {
            Token::Number(number) => Ok(*number),
            other => Err(Error::invalid(format!("expected a number, found {other}"))),
        }
    }

    fn small_number(&mut self) -> Result<u8> {
        let number = self.number()?;
        u8::try_from(number).map_err(|_| Error::invalid(format!("expected a precision or scale, found {number}")))
    }

    fn take(&mut self, symbol: char) -> bool {
        let found = self.tokens.get(self.position) == Some(&Token::Symbol(symbol));
        self.position += usize::from(found);
        found
    }

    fn expect(&mut self, symbol: char) -> Result<()> {
        if self.take(symbol) {
            return Ok(());
        }
        let found = self.next()?;
        Err(Error::invalid(format!("expected '{symbol}', found {found}")))
    }

    fn take_word(&mut self, keyword: &str) -> bool {
        self.take_words(&[keyword])
    }

    /// Takes all of the keywords or none.
    fn take_words(&mut self, keywords: &[&str]) -> bool {
        let ahead = self.tokens.get(self.position..self.position + keywords.len());
        let found = ahead.is_some_and(|tokens| {
            tokens.iter().zip(keywords).all(|(token, keyword)| match token {
                Token::Word(word) => word.eq_ignore_ascii_case(keyword),
                _ => false,
            })
        });
        self.position += if found { keywords.len() } else { 0 };
        found
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            TypeKind::Char(n) => write!(f, "CHAR({n})")?,
            TypeKind::VarChar(DataType::MAX_LENGTH) => f.write_str("STRING")?,
            TypeKind::VarChar(n) => write!(f, "VARCHAR({n})")?,
            TypeKind::Boolean => f.write_str("BOOLEAN")?,
            TypeKind::Binary(n) => write!(f, "BINARY({n})")?,
            TypeKind::VarBinary(DataType::MAX_LENGTH) => f.write_str("BYTES")?,
            TypeKind::VarBinary(n) => write!(f, "VARBINARY({n})")?,
            TypeKind::Decimal { precision, scale } => write!(f, "DECIMAL({precision}, {scale})")?,
            TypeKind::TinyInt => f.write_str("TINYINT")?,
            TypeKind::SmallInt => f.write_str("SMALLINT")?,
            TypeKind::Int => f.write_str("INT")?,
            TypeKind::BigInt => f.write_str("BIGINT")?,
            TypeKind::Float => f.write_str("FLOAT")?,
            TypeKind::Double => f.write_str("DOUBLE")?,
            TypeKind::Date => f.write_str("DATE")?,
            TypeKind::Time(p) => write!(f, "TIME({p})")?,
            TypeKind::Timestamp(p) => write!(f, "TIMESTAMP({p})")?,
            TypeKind::TimestampLtz(p) => write!(f, "TIMESTAMP({p}) WITH LOCAL TIME ZONE")?,
            TypeKind::Variant => f.write_str("VARIANT")?,
            TypeKind::Blob => f.write_str("BLOB")?,
            TypeKind::Geometry(crs) => write!(f, "GEOMETRY({})", quoted_if_needed(crs))?,
            TypeKind::Geography(crs, algorithm) => write!(f, "GEOGRAPHY({}, {algorithm})", quoted_if_needed(crs))?,
            TypeKind::Array(element) => write!(f, "ARRAY<{element}>")?,
            TypeKind::Map(key, value) => write!(f, "MAP<{key}, {value}>")?,
            TypeKind::Multiset(element) => write!(f, "MULTISET<{element}>")?,
            TypeKind::Vector(element, length) => write!(f, "VECTOR<{element}, {length}>")?,
            TypeKind::Row(fields) => {
                f.write_str("ROW<")?;
                for (i, field) in fields.iter().enumerate() {
                    let separator = if i == 0 { "" } else { ", " };
                    write!(f, "{separator}`{}` {}", field.name.replace('`', "``"), field.data_type)?;
                    if let Some(description) = &field.description {
                        write!(f, " COMMENT '{}'", description.replace('\'', "''"))?;
                    }
                }
                f.write_str(">")?;
            }
        }
        f.write_str(if self.nullable { "" } else { " NOT NULL" })
    }
}

/// Java `GeometryType.formatCrs`.
fn quoted_if_needed(crs: &str) -> String {
    let needed = crs.starts_with(|c: char| c.is_ascii_digit())
        || crs.contains(|c: char| is_delimiter(c) || matches!(c, '\'' | '`'));
    if needed { format!("'{}'", crs.replace('\'', "''")) } else { crs.to_owned() }
}
