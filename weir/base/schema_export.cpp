// What a schema says to editors (JSON Schema) and to readers (Markdown).
#include <fmt/format.h>

#include <algorithm>

#include <nlohmann/json.hpp>

#include "weir/base/schema.hpp"

namespace weir::schema {
namespace {

using Json = nlohmann::ordered_json;

// Regular expressions of the quantities, as ECMA 262 that JSON Schema uses. They are a little more
// generous than the parsers, which have the last word.
std::string_view pattern_of(Type type) {
    switch (type) {
        case Type::bytes:
            return "^[0-9.]+ ?([KMGTPE]i?|k)?B?$";
        case Type::duration:
            return "^([0-9.]+ ?(ms|sec|s|min|m|hour|h|day|d|w|y) ?)+$";
        case Type::time:
            return "^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.]+(Z|[+-][0-9:]+)?)?$";
        case Type::power:
            return "^[0-9.]+ ?[kMGTP]?W$";
        case Type::bandwidth:
            return "^[0-9.]+ ?[kKMGTP]?i?[bB]/s( ?x ?[0-9]+)?$";
        case Type::money:
            return "^[0-9.]+ ?[A-Z]{3}$";
        default:
            return "";
    }
}

// Objects are defined once below "$defs" and referred to by name.
class Exporter {
public:
    Json object_json(const Object& object) {
        Json json;
        json["type"] = "object";
        if (!object.doc.empty()) json["description"] = object.doc;
        Json properties = Json::object();
        Json required = Json::array();
        for (const Field& field : object.fields) {
            Json property = value_json(field.value);
            std::string description(field.doc);
            if (!field.standard.empty()) {
                description += fmt::format(" (default: {})", field.standard);
            }
            if (field.use == Use::checked) {
                description += ". Checked, but not acted upon by this version";
            }
            property["description"] = description;
            properties[std::string(field.key)] = std::move(property);
            if (field.required) required.push_back(field.key);
        }
        json["properties"] = std::move(properties);
        if (!required.empty()) json["required"] = std::move(required);
        json["additionalProperties"] = false;
        return json;
    }

    Json definitions = Json::object();

private:
    Json value_json(const Value& value) {
        Json json;
        switch (value.type) {
            case Type::text:
                // `name: 08:30` and `name: 12` are texts here, whatever an editor takes them for.
                json["type"] = {"string", "number", "boolean"};
                break;
            case Type::word:
                json["type"] = {"string", "number"};
                if (!value.pattern.empty()) json["pattern"] = value.pattern;
                break;
            case Type::choice:
                json["enum"] = value.choices;
                break;
            case Type::boolean:
                json["type"] = "boolean";
                break;
            case Type::integer:
                json["type"] = "integer";
                json["minimum"] = static_cast<std::int64_t>(value.low);
                json["maximum"] = static_cast<std::int64_t>(value.high);
                break;
            case Type::number:
                json["type"] = "number";
                json["minimum"] = value.low;
                json["maximum"] = value.high;
                break;
            case Type::list: {
                Json list;
                list["type"] = "array";
                list["items"] = value_json(value.inner[0]);
                if (value.or_one) {
                    Json one = value_json(value.inner[0]);
                    json["anyOf"] = Json::array({std::move(list), std::move(one)});
                } else {
                    json = std::move(list);
                }
                break;
            }
            case Type::map:
                json["type"] = "object";
                json["additionalProperties"] = value_json(value.inner[0]);
                break;
            case Type::object: {
                const std::string name(value.object->name);
                if (!definitions.contains(name)) {
                    definitions[name] = Json::object();  // ends a recursion
                    definitions[name] = object_json(*value.object);
                }
                json["$ref"] = "#/$defs/" + name;
                break;
            }
            case Type::either: {
                Json all = Json::array();
                for (const Value& one : value.inner)
                    all.push_back(value_json(one));
                json["anyOf"] = std::move(all);
                break;
            }
            default:
                json["type"] = "string";
                json["pattern"] = pattern_of(value.type);
        }
        return json;
    }
};

std::string type_text(const Value& value) {
    const auto range = [&](std::string_view what) {
        return fmt::format("{} {} to {}", what, value.low, value.high);
    };
    switch (value.type) {
        case Type::text:
            return "text";
        case Type::word:
            return std::string(value.spelling);
        case Type::choice: {
            std::string out;
            for (const std::string_view one : value.choices) {
                out += fmt::format("{}`{}`", out.empty() ? "" : ", ", one);
            }
            return out;
        }
        case Type::boolean:
            return "`true` or `false`";
        case Type::integer:
            return fmt::format("integer {} to {}",
                               static_cast<std::int64_t>(value.low),
                               static_cast<std::int64_t>(value.high));
        case Type::number:
            return range("number");
        case Type::bytes:
            return "memory with unit";
        case Type::duration:
            return "duration with unit";
        case Type::time:
            return "time";
        case Type::power:
            return "power with unit";
        case Type::bandwidth:
            return "bandwidth with unit";
        case Type::money:
            return "amount and currency";
        case Type::list:
            return fmt::format(
                "list of {}{}", type_text(value.inner[0]), value.or_one ? ", or one" : "");
        case Type::map:
            return fmt::format("map of {}", type_text(value.inner[0]));
        case Type::object:
            return fmt::format("[{}](#{})", value.object->name, value.object->name);
        case Type::either: {
            std::string out;
            for (const Value& one : value.inner) {
                if (!out.empty()) out += ", or ";
                out += type_text(one);
            }
            return out;
        }
    }
    return "";
}

// Objects in the order in which a reader meets them, each once.
void collect(const Value& value, std::vector<const Object*>& found) {
    for (const Value& inner : value.inner)
        collect(inner, found);
    if (value.object == nullptr) return;
    if (std::find(found.begin(), found.end(), value.object) != found.end()) return;
    found.push_back(value.object);
    for (const Field& field : value.object->fields)
        collect(field.value, found);
}

std::string cell(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '|') out += '\\';
        out += c;
    }
    return out;
}

}  // namespace

std::string json_schema(const Object& object, std::string_view title) {
    Exporter exporter;
    Json json;
    json["$schema"] = "https://json-schema.org/draft/2020-12/schema";
    json["title"] = title;
    json.update(exporter.object_json(object));
    if (!exporter.definitions.empty()) json["$defs"] = exporter.definitions;
    return json.dump(2) + "\n";
}

std::string markdown(const Object& object) {
    std::vector<const Object*> objects;
    collect(schema::object(object), objects);
    std::string out;
    for (const Object* one : objects) {
        // The heading is the name, so that the types can point to it.
        out += fmt::format("## {}\n\n{}\n\n", one->name, one->doc);
        out += "| key | value | default | meaning |\n| --- | --- | --- | --- |\n";
        for (const Field& field : one->fields) {
            std::string doc(field.doc);
            if (field.use == Use::checked) doc += " *(checked only)*";
            if (!field.example.empty()) doc += fmt::format("; `{}: {}`", field.key, field.example);
            out += fmt::format("| `{}` | {} | {} | {} |\n",
                               field.key,
                               cell(type_text(field.value)),
                               field.required ? "**required**" : cell(field.standard),
                               cell(doc));
        }
        out += '\n';
    }
    out.pop_back();
    return out;
}

}  // namespace weir::schema
