#include "weir/base/schema.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "weir/base/assert.hpp"
#include "weir/base/money.hpp"

namespace weir::schema {
namespace {

constexpr std::size_t lines_max = 20;

// Long or strange values are cut, so that an error stays one line of text.
std::string shown(std::string_view value) {
    std::string out;
    for (const char c : value) {
        if (out.size() >= 60) {
            // Never in the middle of a character.
            while (!out.empty() && (static_cast<std::uint8_t>(out.back()) & 0xC0) == 0x80) {
                out.pop_back();
            }
            if (!out.empty() && static_cast<std::uint8_t>(out.back()) >= 0xC0) out.pop_back();
            return out + "…";
        }
        out += c == '\n' || c == '\r' || c == '\t' ? ' ' : c;
    }
    return out;
}

std::string joined(const std::vector<std::string_view>& words) {
    std::string out;
    for (const std::string_view word : words) {
        if (!out.empty()) out += ", ";
        out += word;
    }
    return out;
}

// 1e9 as "1000000000", 0.1 as "0.1".
std::string number_text(double value) {
    return fmt::format("{}", value);
}

std::optional<std::int64_t> integer_of(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

std::optional<double> number_of(std::string_view text) {
    if (!text.empty() && text.front() == '+') text.remove_prefix(1);
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    if (!std::isfinite(value)) return std::nullopt;
    return value;
}

// What is wrong with a scalar, or nothing.
std::optional<std::string> scalar_problem(const Value& value, const yaml::Node& node) {
    const std::string& text = node.text;
    const auto told = [](const auto& result) -> std::optional<std::string> {
        if (result.has_value()) return std::nullopt;
        return result.error().message;
    };
    switch (value.type) {
        case Type::text:
            return std::nullopt;
        case Type::word: {
            auto wrong = value.test(text);
            if (wrong) return fmt::format("'{}' {}", shown(text), *wrong);
            return std::nullopt;
        }
        case Type::choice: {
            const auto& choices = value.choices;
            if (std::find(choices.begin(), choices.end(), text) != choices.end())
                return std::nullopt;
            const auto near = nearest(text, choices);
            return fmt::format("'{}' is not one of {}{}",
                               shown(text),
                               joined(choices),
                               near ? fmt::format(" (did you mean {}?)", *near) : "");
        }
        case Type::boolean:
            if (text == "true" || text == "false") return std::nullopt;
            return fmt::format("'{}' is neither true nor false", shown(text));
        case Type::integer: {
            const auto low = static_cast<std::int64_t>(value.low);
            const auto high = static_cast<std::int64_t>(value.high);
            const auto found = integer_of(text);
            if (!found) {
                return fmt::format(
                    "'{}' is not a whole number; write one from {} to {}", shown(text), low, high);
            }
            if (*found < low || *found > high) {
                return fmt::format("{} is out of range; valid are {} to {}", text, low, high);
            }
            return std::nullopt;
        }
        case Type::number: {
            const auto found = number_of(text);
            if (!found) return fmt::format("'{}' is not a number", shown(text));
            if (*found < value.low || *found > value.high) {
                return fmt::format("{} is out of range; valid are {} to {}",
                                   text,
                                   number_text(value.low),
                                   number_text(value.high));
            }
            return std::nullopt;
        }
        case Type::bytes:
            return told(parse_bytes(text));
        case Type::duration:
            return told(parse_duration(text));
        case Type::time:
            return told(parse_time(text));
        case Type::power:
            return told(parse_power_watts(text));
        case Type::bandwidth:
            return told(parse_bandwidth_bytes_per_s(text));
        case Type::money:
            return told(check_money(text));
        case Type::list:
        case Type::map:
        case Type::object:
        case Type::either:
            break;
    }
    WEIR_ASSERT(false);
    return std::nullopt;
}

bool takes(const Value& value, yaml::Kind kind) {
    switch (value.type) {
        case Type::list:
            return kind == yaml::Kind::sequence || (value.or_one && takes(value.inner[0], kind));
        case Type::map:
        case Type::object:
            return kind == yaml::Kind::map;
        case Type::either:
            return std::any_of(value.inner.begin(), value.inner.end(), [kind](const Value& one) {
                return takes(one, kind);
            });
        default:
            return kind == yaml::Kind::scalar;
    }
}

std::string wanted(const Value& value) {
    switch (value.type) {
        case Type::text:
            return "a text";
        case Type::word:
            return fmt::format(
                "{} {}",
                std::string_view("aeiou").find(value.spelling.front()) != std::string_view::npos
                    ? "an"
                    : "a",
                value.spelling);
        case Type::choice:
            return "one of " + joined(value.choices);
        case Type::boolean:
            return "true or false";
        case Type::integer:
            return "a whole number";
        case Type::number:
            return "a number";
        case Type::bytes:
            return "an amount of memory such as 128GiB";
        case Type::duration:
            return "a duration such as 30min";
        case Type::time:
            return "a time such as 2026-12-01T08:00:00Z";
        case Type::power:
            return "a power such as 15kW";
        case Type::bandwidth:
            return "a bandwidth such as 10GB/s";
        case Type::money:
            return "an amount such as 500 CNY";
        case Type::list:
            return "a list";
        case Type::map:
            return "a map of names and values";
        case Type::object: {
            std::vector<std::string_view> keys;
            for (const Field& field : value.object->fields)
                keys.push_back(field.key);
            return "a map with the keys " + joined(keys);
        }
        case Type::either: {
            std::string out;
            for (const Value& one : value.inner)
                out += (out.empty() ? "" : ", or ") + wanted(one);
            return out;
        }
    }
    return "";
}

std::string_view name_of(yaml::Kind kind) {
    switch (kind) {
        case yaml::Kind::scalar:
            return "a single value";
        case yaml::Kind::sequence:
            return "a list";
        case yaml::Kind::map:
            return "a map";
    }
    return "";
}

std::string below(std::string_view path, std::string_view key) {
    return path.empty() ? std::string(key) : fmt::format("{}.{}", path, key);
}

void check_object(const Object& object,
                  const yaml::Node& node,
                  const std::string& path,
                  Problems& problems);

void check_value(const Value& value,
                 const yaml::Node& node,
                 const std::string& path,
                 Problems& problems) {
    if (node.is_null()) {
        problems.add(node.place, path, "has no value; write " + wanted(value));
        return;
    }
    if (!takes(value, node.kind)) {
        problems.add(
            node.place, path, fmt::format("is {}; write {}", name_of(node.kind), wanted(value)));
        return;
    }
    switch (value.type) {
        case Type::list:
            if (node.kind != yaml::Kind::sequence) {
                check_value(value.inner[0], node, path, problems);
                return;
            }
            for (std::size_t i = 0; i < node.items.size(); ++i) {
                check_value(
                    value.inner[0], node.items[i], fmt::format("{}[{}]", path, i), problems);
            }
            return;
        case Type::map:
            for (std::size_t i = 0; i < node.keys.size(); ++i) {
                const yaml::Key& key = node.keys[i];
                if (value.key_test != nullptr) {
                    if (const auto wrong = value.key_test(key.text)) {
                        problems.add(key.place,
                                     path,
                                     fmt::format("the name '{}' {}", shown(key.text), *wrong));
                        continue;
                    }
                }
                check_value(value.inner[0], node.items[i], below(path, key.text), problems);
            }
            return;
        case Type::object:
            check_object(*value.object, node, path, problems);
            return;
        case Type::either: {
            const Value* candidate = nullptr;
            for (const Value& one : value.inner) {
                if (!takes(one, node.kind)) continue;
                candidate = &one;
                if (node.kind != yaml::Kind::scalar || !scalar_problem(one, node)) break;
            }
            check_value(*candidate, node, path, problems);
            return;
        }
        default:
            if (const auto wrong = scalar_problem(value, node)) {
                problems.add(node.place, path, *wrong);
            }
    }
}

// Where else a key would be right: `memory` at the top belongs below `gang`.
std::optional<std::string> home_of(const Object& object, std::string_view key) {
    for (const Field& field : object.fields) {
        if (field.value.type != Type::object) continue;
        if (field.value.object->find(key) != nullptr) return below(field.key, key);
    }
    return std::nullopt;
}

void unknown_key(const Object& object,
                 const yaml::Key& key,
                 const std::string& path,
                 Problems& problems) {
    std::vector<std::string_view> known;
    for (const Field& field : object.fields)
        known.push_back(field.key);
    std::string what = fmt::format("'{}' is not a key of {}", shown(key.text), object.name);
    const auto foreign = std::find_if(object.foreign.begin(),
                                      object.foreign.end(),
                                      [&](const Foreign& word) { return word.key == key.text; });
    if (foreign != object.foreign.end()) {
        what += fmt::format("; {}", foreign->advice);
    } else if (const auto home = home_of(object, key.text)) {
        what += fmt::format("; it belongs to {}", *home);
    } else if (const auto near = nearest(key.text, known)) {
        what += fmt::format("; did you mean '{}'?", *near);
    } else {
        what += fmt::format("; valid are {}", joined(known));
    }
    problems.add(key.place, path, what);
}

void check_object(const Object& object,
                  const yaml::Node& node,
                  const std::string& path,
                  Problems& problems) {
    for (std::size_t i = 0; i < node.keys.size(); ++i) {
        const Field* field = object.find(node.keys[i].text);
        if (field == nullptr) {
            unknown_key(object, node.keys[i], path, problems);
        } else {
            check_value(field->value, node.items[i], below(path, field->key), problems);
        }
    }
    for (const Field& field : object.fields) {
        if (!field.required || node.find(field.key) != nullptr) continue;
        problems.add(node.place,
                     path,
                     fmt::format("the key '{}' is missing; write {}: {}",
                                 field.key,
                                 field.key,
                                 field.example.empty() ? wanted(field.value) : field.example));
    }
}

void collect_checked(const Value& value,
                     const yaml::Node& node,
                     const std::string& path,
                     std::vector<std::string>& found) {
    if (value.type == Type::list && node.kind == yaml::Kind::sequence) {
        for (const yaml::Node& item : node.items) {
            collect_checked(value.inner[0], item, path, found);
        }
    }
    if (value.type != Type::object || node.kind != yaml::Kind::map) return;
    for (std::size_t i = 0; i < node.keys.size(); ++i) {
        const Field* field = value.object->find(node.keys[i].text);
        if (field == nullptr) continue;
        const std::string inside = below(path, field->key);
        if (field->use == Use::checked) {
            if (std::find(found.begin(), found.end(), inside) == found.end()) {
                found.push_back(inside);
            }
        } else {
            collect_checked(field->value, node.items[i], inside, found);
        }
    }
}

Value of_type(Type type) {
    Value value;
    value.type = type;
    return value;
}

}  // namespace

Value text() {
    return of_type(Type::text);
}

Value word(std::string_view spelling, Test test, std::string_view pattern) {
    Value value = of_type(Type::word);
    value.spelling = spelling;
    value.test = test;
    value.pattern = pattern;
    return value;
}

Value choice(std::vector<std::string_view> choices) {
    Value value = of_type(Type::choice);
    value.choices = std::move(choices);
    return value;
}

Value boolean() {
    return of_type(Type::boolean);
}

Value integer(std::int64_t low, std::int64_t high) {
    Value value = of_type(Type::integer);
    value.low = static_cast<double>(low);
    value.high = static_cast<double>(high);
    return value;
}

Value number(double low, double high) {
    Value value = of_type(Type::number);
    value.low = low;
    value.high = high;
    return value;
}

Value quantity(Type type) {
    WEIR_ASSERT(type >= Type::bytes && type <= Type::money);
    return of_type(type);
}

Value list_of(Value item) {
    Value value = of_type(Type::list);
    value.inner.push_back(std::move(item));
    return value;
}

Value list_or_one(Value item) {
    Value value = list_of(std::move(item));
    value.or_one = true;
    return value;
}

Value map_of(Value item, Test key_test) {
    Value value = of_type(Type::map);
    value.inner.push_back(std::move(item));
    value.key_test = key_test;
    return value;
}

Value object(const Object& fields) {
    Value value = of_type(Type::object);
    value.object = &fields;
    return value;
}

Value either(std::vector<Value> values) {
    Value value = of_type(Type::either);
    value.inner = std::move(values);
    return value;
}

const Field* Object::find(std::string_view key) const {
    for (const Field& field : fields) {
        if (field.key == key) return &field;
    }
    return nullptr;
}

void Problems::add(yaml::Place place, std::string_view path, std::string_view what) {
    std::string line = yaml::place_text(source_, place) + ": ";
    if (!path.empty()) line += fmt::format("{}: ", path);
    lines_.push_back({place, line + std::string(what)});
}

Result<void> Problems::result() const {
    if (lines_.empty()) return {};
    std::vector<const Line*> sorted;
    for (const Line& line : lines_)
        sorted.push_back(&line);
    std::stable_sort(sorted.begin(), sorted.end(), [](const Line* a, const Line* b) {
        return a->place < b->place;
    });
    std::string message;
    for (std::size_t i = 0; i < sorted.size() && i < lines_max; ++i) {
        if (i > 0) message += '\n';
        message += sorted[i]->text;
    }
    if (sorted.size() > lines_max) {
        message += fmt::format("\n{}: and {} more problems", source_, sorted.size() - lines_max);
    }
    return fail(Code::invalid, std::move(message));
}

void check(const Object& object, const yaml::Node& node, Problems& problems) {
    if (node.kind != yaml::Kind::map) {
        std::vector<std::string_view> required;
        for (const Field& field : object.fields) {
            if (field.required) required.push_back(field.key);
        }
        problems.add(node.place,
                     "",
                     fmt::format("a {} is a map of keys and values{}",
                                 object.name,
                                 required.empty() ? "" : ", with at least " + joined(required)));
        return;
    }
    check_object(object, node, "", problems);
}

Result<void> check(const Object& object, const yaml::Node& node, std::string_view source) {
    Problems problems(source);
    check(object, node, problems);
    return problems.result();
}

std::vector<std::string> checked_only(const Object& object, const yaml::Node& node) {
    std::vector<std::string> found;
    collect_checked(schema::object(object), node, "", found);
    return found;
}

const yaml::Node* View::node(std::string_view key) const {
    const yaml::Node* value = node_->find(key);
    return value == nullptr || value->is_null() ? nullptr : value;
}

yaml::Place View::place(std::string_view key) const {
    const yaml::Node* value = node_->find(key);
    return value == nullptr ? node_->place : value->place;
}

std::optional<View> View::object(std::string_view key) const {
    const yaml::Node* value = node(key);
    if (value == nullptr) return std::nullopt;
    return View(*value);
}

std::vector<View> View::objects(std::string_view key) const {
    std::vector<View> views;
    if (const yaml::Node* value = node(key)) {
        for (const yaml::Node& item : value->items)
            views.emplace_back(item);
    }
    return views;
}

std::optional<std::string> View::text(std::string_view key) const {
    const yaml::Node* value = node(key);
    if (value == nullptr) return std::nullopt;
    WEIR_ASSERT(value->kind == yaml::Kind::scalar);
    return value->text;
}

std::vector<std::string> View::texts(std::string_view key) const {
    std::vector<std::string> all;
    const yaml::Node* value = node(key);
    if (value == nullptr) return all;
    if (value->kind == yaml::Kind::scalar) return {value->text};
    for (const yaml::Node& item : value->items)
        all.push_back(item.text);
    return all;
}

std::optional<std::int64_t> View::integer(std::string_view key) const {
    const auto value = text(key);
    if (!value) return std::nullopt;
    const auto found = integer_of(*value);
    WEIR_ASSERT(found.has_value());
    return found;
}

std::optional<double> View::number(std::string_view key) const {
    const auto value = text(key);
    if (!value) return std::nullopt;
    const auto found = number_of(*value);
    WEIR_ASSERT(found.has_value());
    return found;
}

namespace {
template <class T>
std::optional<T> parsed(const std::optional<std::string>& text,
                        Result<T> (*parse)(std::string_view)) {
    if (!text) return std::nullopt;
    const auto value = parse(*text);
    WEIR_ASSERT(value.has_value());
    return *value;
}
}  // namespace

std::optional<Bytes> View::bytes(std::string_view key) const {
    return parsed(text(key), parse_bytes);
}
std::optional<Duration> View::duration(std::string_view key) const {
    return parsed(text(key), parse_duration);
}
std::optional<double> View::power_watts(std::string_view key) const {
    return parsed(text(key), parse_power_watts);
}
std::optional<double> View::bandwidth_bytes_per_s(std::string_view key) const {
    return parsed(text(key), parse_bandwidth_bytes_per_s);
}

Result<void> check_money(std::string_view text) {
    const auto money = parse_money(text);
    if (!money) return fail(money.error());
    return {};
}

}  // namespace weir::schema
