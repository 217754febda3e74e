// How answers of a hub are decoded. For the .cpp files of HubLink only: it includes the JSON
// library.
#pragma once

#include <fmt/format.h>

#include <optional>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include "weir/base/result.hpp"
#include "weir/cli/commands.hpp"
#include "weir/cli/hub_link.hpp"

namespace weir::cli {

using Json = nlohmann::json;

// What is absent or null is what T{} says; what has another type throws and is caught in decoded().
template <class T>
T field(const Json& object, const char* name, T otherwise = T{}) {
    const auto at = object.find(name);
    if (at == object.end() || at->is_null()) return otherwise;
    return at->get<T>();
}

template <class T>
std::optional<T> optional_field(const Json& object, const char* name) {
    const auto at = object.find(name);
    if (at == object.end() || at->is_null()) return std::nullopt;
    return at->get<T>();
}

// Decodes an answer; anything that is not what the contract says becomes one sentence.
template <class T, class Decode>
Result<Answer<T>> decoded(const std::string& url, std::string body, const Decode& decode) {
    try {
        T value = decode(Json::parse(body));
        return Answer<T>{std::move(value), std::move(body)};
    } catch (const std::exception& problem) {
        return fail(Code::internal,
                    fmt::format("what answers at {} is no hub that weir {} understands: {}",
                                url,
                                version,
                                problem.what()));
    }
}

// Text that is no UTF-8 is replaced, never thrown at.
inline std::string text_of(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace weir::cli
