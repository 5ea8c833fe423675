//! The verbs of the domain, each with what it refuses, on a store in memory.

mod categories;
mod certificates;
mod documents;
mod events;
mod groups;
mod jobs;
mod memberships;
mod organizations;
mod sessions;
mod settings;
mod text;
mod together;
mod tokens;
mod users;
mod versions;
mod world;
