//! The pages as people use them, over HTTP and without JavaScript: every form posts, every answer
//! leads somewhere.

mod account;
mod administration;
mod documents;
mod forms;
mod library;
mod setting_up;
