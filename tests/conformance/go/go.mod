module conformance

go 1.24

require caplet v0.0.0

replace caplet => ./vendor/caplet-sdk
