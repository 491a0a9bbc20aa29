//! The macros that make one list of keys serve the reader, the JSON Schema, the reference page and the types.

/// A table that operators write. Each key is
/// `required key: Type`, `optional key: Type` or `default(value) key: Type`; its documentation is its reference.
macro_rules! table {
    (
        $(#[doc = $about:literal])*
        $name:ident as $label:literal $(, later: $later:expr)? => {
            $( $(#[doc = $doc:literal])* $need:ident $(($default:expr))? $key:ident : $type:ty, )*
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Debug)]
        pub(in crate::config) struct $name {
            /// Where the table starts, and which keys were written, whether their values could be read or not.
            pub(in crate::config) written: $crate::config::read::Keys,
            $( $(#[doc = $doc])* pub(in crate::config) $key: Option<$crate::config::read::At<$type>>, )*
        }

        impl $name {
            const ABOUT: $crate::config::read::About = $crate::config::read::About {
                label: $label,
                doc: concat!($($about, "\n"),*),
                fields: &[$( $crate::config::read::Field {
                    identifier: stringify!($key),
                    doc: concat!($($doc, "\n"),*),
                    need: table!(@need $need $($default)?),
                    kind: <$type as $crate::config::read::Written>::kind,
                    schema: <$type as $crate::config::read::Written>::schema,
                    about: <$type as $crate::config::read::Written>::about,
                } ),*],
                later: table!(@later $($later)?),
            };
        }

        impl $crate::config::read::Table for $name {
            fn written(&self) -> &$crate::config::read::Keys {
                &self.written
            }
        }

        impl $crate::config::read::Written for $name {
            fn read(
                node: &$crate::config::node::Node,
                context: &mut $crate::config::read::Context<'_>,
            ) -> Option<Self> {
                let table = $crate::config::read::TableReader::open::<Self>(&Self::ABOUT, node, context)?;
                $( let $key = table!(@read $need table context $key $($default)?); )*
                Some(Self { written: table.keys(), $( $key, )* })
            }

            fn kind() -> String {
                $crate::config::reference::table_kind(&Self::ABOUT)
            }

            fn schema() -> serde_json::Value {
                $crate::config::reference::table_schema(&Self::ABOUT)
            }

            fn about() -> Option<&'static $crate::config::read::About> {
                Some(&Self::ABOUT)
            }
        }
    };
    (@need required) => { $crate::config::read::Need::Required };
    (@need optional) => { $crate::config::read::Need::Optional };
    (@need default $default:expr) => {
        $crate::config::read::Need::Default(|| $crate::config::node::Kind::from($default))
    };
    (@later) => { &[] };
    (@later $later:expr) => { &$later };
    (@read required $table:ident $context:ident $key:ident) => { $table.required(stringify!($key), $context) };
    (@read optional $table:ident $context:ident $key:ident) => { $table.optional(stringify!($key), $context) };
    (@read default $table:ident $context:ident $key:ident $default:expr) => {
        $table.default(stringify!($key), $crate::config::node::Kind::from($default), $context)
    };
}

/// A choice of words: the spelling of each value of an enum, in one place for reading and printing.
macro_rules! words {
    ($type:ty, $kind:literal, { $($word:literal => $value:path,)* }) => {
        impl $crate::config::read::Written for $type {
            fn read(
                node: &$crate::config::node::Node,
                context: &mut $crate::config::read::Context<'_>,
            ) -> Option<Self> {
                match &node.kind {
                    $crate::config::node::Kind::Text(text) => match text.as_str() {
                        $($word => return Some($value),)*
                        _ if node.referred => context.unknown(node.at, concat!("this is no ", $kind).to_owned(), &[$($word),*]),
                        other => context.unknown(node.at, format!(concat!("`{}` is no ", $kind), other.escape_debug()), &[$($word),*]),
                    },
                    $crate::config::node::Kind::Broken => {}
                    _ => {
                        context.expected::<Self>(node);
                    }
                }
                None
            }

            fn kind() -> String {
                [$(concat!("\"", $word, "\"")),*].join(" or ")
            }

            fn schema() -> serde_json::Value {
                serde_json::json!({ "anyOf": [{ "enum": [$($word),*] }, { "type": "string", "pattern": "\\$\\{" }] })
            }
        }

        impl $crate::config::units::Spelled for $type {
            fn spelled(&self) -> &'static str {
                $(if *self == $value { return $word; })*
                ""
            }
        }
    };
}
