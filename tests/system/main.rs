//! The real binary from outside: what a person, a client and a power cut do to it.

mod authoring;
mod components;
mod durability;
mod full_disk;
mod heavy;
mod load;
mod operator;
mod plugin_folder;
mod process;
mod restart;
mod rollout;
mod settings;
mod subjects;
mod takeover;
mod telemetry;
mod upgrades;
