//! The host seen by programs that were written elsewhere: official clients, the specifications' own
//! tests, browsers. A topic is a folder with its scripts and the tests that run them.

mod comments;
mod components;
mod gateway;
mod identity;
mod languages;
mod openapi;
mod pages;
mod swaps;
mod tags;
mod telemetry;
