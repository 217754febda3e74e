// Schema: one table per language, from which everything that is said about the language comes.
//
// A language (a job, a fleet) is an Object: named fields, each with a type, a default, one line of
// explanation and an example. From the same table come the check of a file with its error texts,
// the JSON Schema for editors (draft 2020-12) and the reference page, so they cannot disagree.
//
//     const Object& job = job_schema();
//     WEIR_TRY(const yaml::Node node, yaml::parse(text, "a.yaml"));
//     WEIR_CHECK(check(job, node, "a.yaml"));      // every problem of the file in one error
//     const View view(node);                       // typed access; the check has been done
//     const std::int64_t retries = view.integer("retries").value_or(0);
//
// The type of a scalar is the type of its field, never its look: `name: no` is the text "no".
// Threads: tables are built once and only read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/base/time.hpp"
#include "weir/base/units.hpp"
#include "weir/base/yaml.hpp"

namespace weir::schema {

struct Object;

enum class Type : std::uint8_t {
    text,       // any scalar, as it is written
    word,       // a scalar with a syntax of its own: see Value::test
    choice,     // one of Value::choices
    boolean,    // true or false
    integer,    // within [low, high]
    number,     // within [low, high]; exponents allowed
    bytes,      // 128GiB
    duration,   // 1h30m
    time,       // 2026-12-01T08:00:00Z
    power,      // 15kW
    bandwidth,  // 400Gb/s x 8
    money,      // 500 CNY
    list,       // of Value::inner[0]
    map,        // of Value::inner[0], by names of the user's choice
    object,     // Value::object
    either,     // what fits of Value::inner, tried in order
};

// What a test of a word says: nothing, or what would be valid ("must be ...").
using Test = std::optional<std::string> (*)(std::string_view word);

struct Value {
    Type type = Type::text;
    double low = 0;
    double high = 0;
    std::vector<std::string_view> choices;
    std::vector<Value> inner;
    const Object* object = nullptr;
    Test test = nullptr;
    std::string_view spelling;  // how the reference calls it: "index list"
    std::string_view pattern;   // of a word, as a regular expression for JSON Schema
    bool or_one = false;        // a list may be written as its only member
    Test key_test = nullptr;    // of a map: what its keys must be
};

// How tables are written.
Value text();
Value word(std::string_view spelling, Test test, std::string_view pattern);
Value choice(std::vector<std::string_view> choices);
Value boolean();
Value integer(std::int64_t low, std::int64_t high);
Value number(double low, double high);
Value quantity(Type type);  // bytes, duration, time, power, bandwidth, money
Value list_of(Value item);
Value list_or_one(Value item);
Value map_of(Value item, Test key_test = nullptr);
Value object(const Object& fields);
Value either(std::vector<Value> values);

enum class Use : std::uint8_t {
    honoured,  // this version acts on it
    checked,   // this version checks it and does nothing more
};

struct Field {
    std::string_view key;
    Value value;
    std::string_view doc;            // one line, a sentence without its full stop
    std::string_view example = "";   // as it would be written behind the key
    std::string_view standard = "";  // the default, in words; "" = none
    bool required = false;
    Use use = Use::honoured;
};

// A word from another world, and what weir calls it: "nodes" -> "gang.replicas".
struct Foreign {
    std::string_view key;
    std::string_view advice;
};

struct Object {
    std::string_view name;  // "job", "gang"
    std::string_view doc;   // what it is, in a sentence or two
    std::vector<Field> fields;
    std::vector<Foreign> foreign = {};

    [[nodiscard]] const Field* find(std::string_view key) const;
};

// Problems of one file, in the order of its lines. At most 20 are shown, then how many more.
class Problems {
public:
    explicit Problems(std::string_view source) : source_(source) {}
    void add(yaml::Place place, std::string_view path, std::string_view what);
    [[nodiscard]] bool empty() const { return lines_.empty(); }
    [[nodiscard]] Result<void> result() const;  // one line per problem

private:
    struct Line {
        yaml::Place place;
        std::string text;
    };
    std::string source_;
    std::vector<Line> lines_;
};

// Collects everything that is wrong with `node` as an `object`.
void check(const Object& object, const yaml::Node& node, Problems& problems);
Result<void> check(const Object& object, const yaml::Node& node, std::string_view source);

// The keys that are there and only checked, as paths ("chips.stack"), each path once; the inside of
// a checked key is not listed.
std::vector<std::string> checked_only(const Object& object, const yaml::Node& node);

// Typed access to a map that has passed check(). Absent keys and nulls give none. Asking for
// another type than the table's is a mistake of the program and asserts.
class View {
public:
    explicit View(const yaml::Node& node) : node_(&node) {}

    [[nodiscard]] const yaml::Node* node(std::string_view key) const;
    [[nodiscard]] yaml::Place place(std::string_view key) const;  // of its value, else of the map
    [[nodiscard]] std::optional<View> object(std::string_view key) const;
    [[nodiscard]] std::vector<View> objects(std::string_view key) const;
    [[nodiscard]] std::optional<std::string> text(std::string_view key) const;
    [[nodiscard]] std::vector<std::string> texts(std::string_view key) const;  // list, or one
    [[nodiscard]] std::optional<std::int64_t> integer(std::string_view key) const;
    [[nodiscard]] std::optional<double> number(std::string_view key) const;
    [[nodiscard]] std::optional<Bytes> bytes(std::string_view key) const;
    [[nodiscard]] std::optional<Duration> duration(std::string_view key) const;
    [[nodiscard]] std::optional<double> power_watts(std::string_view key) const;
    [[nodiscard]] std::optional<double> bandwidth_bytes_per_s(std::string_view key) const;

private:
    const yaml::Node* node_;
};

// "500 CNY": an amount and a currency of three capital letters.
Result<void> check_money(std::string_view text);

// A name of something: 1 to 128 bytes, no control characters, spaces at the ends, '/', ',' or
// quotes. Letters of every script are welcome.
std::optional<std::string> test_name(std::string_view word);

// The nearest of `known` by edit distance, if it is near enough to be a slip of the fingers.
std::optional<std::string_view> nearest(std::string_view word,
                                        const std::vector<std::string_view>& known);

// JSON Schema, draft 2020-12, as text with a line break at the end.
std::string json_schema(const Object& object, std::string_view title);
// The tables of an object and of everything inside it, as Markdown below the page's title.
std::string markdown(const Object& object);

}  // namespace weir::schema
