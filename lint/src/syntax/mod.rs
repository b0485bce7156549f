//! Text → documents of located nodes; knows no vendor.

pub mod command;
pub mod nginx;
pub mod pem;
pub mod url;
pub mod yaml;
