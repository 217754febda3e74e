// Result<T>: a value, or the reason why there is none.
//
// Everything that the world can refuse (a missing file, a bad job, a full disk) comes back as a
// Result; what only a programming mistake can cause is a WEIR_ASSERT (assert.hpp). Both the class
// and the functions that return it are [[nodiscard]]: a dropped Result<void> is the bug class we
// fear most, so the compiler says so on g++ and clang alike.
//
//     Result<Fleet> read_fleet(const std::string& path);
//     WEIR_TRY(const Fleet fleet, read_fleet(path));   // unwraps, or returns the error
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <tl/expected.hpp>

namespace weir {

// The closed set of ways in which something can be refused. One table (result.cpp) gives each
// its name, HTTP status and exit status, so the API, the CLI and the metrics cannot disagree.
enum class Code : std::uint8_t {
    invalid,      // what was given is wrong: a key, a value, a unit, an argument
    not_found,    // no such job, file, dataset
    conflict,     // same key, other body; a transition that the state forbids
    never_fits,   // well-formed, but no part of the fleet could ever run it
    too_large,    // over a stated size limit
    unsupported,  // part of the language, but not honoured by this version
    denied,       // not allowed
    unavailable,  // try again later: no hub, hub stopping
    io,           // the operating system or the database failed
    internal,     // a promise of ours was broken; please report
};

struct Error {
    Code code = Code::internal;
    std::string message;  // one sentence for people: place, field, value, what would be valid

    // Puts where it happened in front: "jobs/a.yaml: " + message.
    [[nodiscard]] Error at(std::string_view place) const;
};

std::string_view name_of(Code code);
int http_status_of(Code code);
int exit_status_of(
    Code code);  // 1 general, 2 usage/invalid, 3 not found, 4 conflict, 5 unavailable
Code code_from_name(std::string_view name);  // internal when unknown

template <class T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
public:
    using tl::expected<T, Error>::expected;
};

[[nodiscard]] inline tl::unexpected<Error> fail(Code code, std::string message) {
    return tl::unexpected<Error>(Error{code, std::move(message)});
}
[[nodiscard]] inline tl::unexpected<Error> fail(Error error) {
    return tl::unexpected<Error>(std::move(error));
}

}  // namespace weir

#define WEIR_CONCAT_INNER(a, b) a##b
#define WEIR_CONCAT(a, b) WEIR_CONCAT_INNER(a, b)

// WEIR_TRY(declaration, expression): declares from the value, or returns the error.
#define WEIR_TRY(declaration, expression) \
    WEIR_TRY_INNER(WEIR_CONCAT(weir_try_, __LINE__), declaration, expression)
#define WEIR_TRY_INNER(name, declaration, expression)                    \
    auto name = (expression);                                            \
    if (!name.has_value()) return ::weir::fail(std::move(name).error()); \
    declaration = std::move(name).value()

// WEIR_CHECK(expression): for Result<void>; returns the error if there is one.
#define WEIR_CHECK(expression)                                       \
    do {                                                             \
        if (auto weir_check = (expression); !weir_check.has_value()) \
            return ::weir::fail(std::move(weir_check).error());      \
    } while (false)
