//! The scripts: called by their hash, loaded on every connection and again when the server has lost them.

use std::sync::LazyLock;

use redis::Cmd;

macro_rules! scripts {
    ($($(#[$doc:meta])* $name:ident = $file:literal),* $(,)?) => {
        /// A script. Its file says what it takes and answers.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Script { $($(#[$doc])* $name),* }

        impl Script {
            /// All scripts.
            pub(super) const ALL: &[Self] = &[$(Self::$name),*];

            /// The name of the script's file.
            #[cfg(debug_assertions)]
            pub(super) fn file(self) -> &'static str {
                match self { $(Self::$name => $file),* }
            }

            /// The text of the script's file.
            fn text(self) -> &'static str {
                match self { $(Self::$name => include_str!(concat!("scripts/", $file, ".lua"))),* }
            }
        }
    };
}

scripts! {
    Acquire = "acquire",
    Renew = "renew",
    Release = "release",
    Commit = "commit",
    /// The script of a commit that creates: the same, refused when memory is full.
    CommitCreating = "commit",
    SetLooks = "set_looks",
    Revoke = "revoke",
    Expire = "expire",
    Claim = "claim",
    Finish = "finish",
    HandBack = "hand_back",
    Found = "found",
    Meet = "meet",
    RenewSession = "renew_session",
    Sessions = "sessions",
    AppendLog = "append_log",
    Mark = "mark",
}

static HASHES: LazyLock<Vec<String>> = LazyLock::new(|| {
    Script::ALL.iter().map(|script| redis::Script::new(&script.source()).get_hash().to_owned()).collect()
});

impl Script {
    /// The source of the script, as it is loaded.
    pub(super) fn source(self) -> String {
        let source = match self {
            Self::CommitCreating => self.text().replacen("#!lua flags=allow-oom", "#!lua", 1),
            _ => self.text().to_owned(),
        };
        #[cfg(debug_assertions)]
        let source = super::unguard::source(self.file(), source);
        source
    }

    /// A call of the script with these keys; the arguments follow.
    pub(super) fn on<K: AsRef<str>>(self, keys: &[K]) -> Cmd {
        let mut command = redis::cmd("EVALSHA");
        command.arg(HASHES[self as usize].as_str()).arg(keys.len());
        for key in keys {
            command.arg(key.as_ref());
        }
        command
    }

    /// The command that loads the script.
    pub(super) fn load(self) -> Cmd {
        let mut command = redis::cmd("SCRIPT");
        command.arg("LOAD").arg(self.source());
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_states_its_keys_arguments_and_answer() {
        for script in Script::ALL {
            let source = script.source();
            assert!(source.starts_with("#!lua"), "{script:?}");
            for word in ["-- KEYS", "-- ARGV", "-- Answers"] {
                assert!(source.contains(word), "{script:?} does not state {word}");
            }
        }
    }

    #[test]
    fn every_script_but_that_of_expiry_declares_the_keys_that_it_touches() {
        let touched = |call: &str| match call.split_once(", ") {
            Some((_, key)) => {
                ["KEYS[", "unpack(KEYS,", "key,", "key)"].iter().any(|one| key.starts_with(one))
            }
            None => call.starts_with("'TIME')"),
        };
        // What is called `key` is one of those that are declared.
        let named = |line: &str| match line.split_once(" = ") {
            Some((name, key)) if name.contains("local ") && name.contains("key") => key.contains("KEYS["),
            _ => true,
        };
        for script in Script::ALL {
            let source = script.source();
            let declares = |line: &&str| line.split("call(").skip(1).all(touched) && named(line);
            let odd: Vec<_> = source.lines().filter(|line| !declares(line)).collect();
            assert_eq!(odd.is_empty(), *script != Script::Expire, "{script:?}: {odd:?}");
        }
    }

    #[test]
    fn a_commit_that_creates_is_refused_when_memory_is_full_and_others_are_not() {
        assert!(Script::Commit.source().starts_with("#!lua flags=allow-oom\n"));
        assert!(Script::CommitCreating.source().starts_with("#!lua\n"));
    }
}
