#include "weir/api/operation_body.hpp"

#include <fmt/core.h>

#include <initializer_list>
#include <limits>

#include <nlohmann/json.hpp>

namespace weir::api {
namespace {

using Json = nlohmann::json;

Result<Json> object_in(std::string_view text, std::initializer_list<std::string_view> known) {
    Json json =
        text.empty() ? Json::object() : Json::parse(text.begin(), text.end(), nullptr, false);
    std::string list;
    for (const std::string_view name : known)
        list += (list.empty() ? "" : ", ") + std::string(name);
    if (!json.is_object()) {
        return fail(Code::invalid,
                    list.empty() ? std::string("body: expected nothing, or an empty object")
                                 : "body: expected an object with the keys " + list);
    }
    for (const auto& item : json.items()) {
        bool found = false;
        for (const std::string_view name : known)
            found = found || name == item.key();
        if (found) continue;
        return fail(Code::invalid,
                    fmt::format("body: unknown key \"{}\"; valid: {}",
                                item.key().substr(0, 60),
                                list.empty() ? "none" : list));
    }
    return json;
}

// Null where it is absent.
const Json& member(const Json& json, const char* key) {
    static const Json nothing;
    const auto found = json.find(key);
    return found == json.end() ? nothing : *found;
}

Error wrong(const char* key, std::string_view expected) {
    return {Code::invalid, fmt::format("{}: expected {}", key, expected)};
}

Result<void> read(const Json& json, const char* key, std::string& into) {
    const Json& value = member(json, key);
    if (value.is_null()) return {};
    if (!value.is_string()) return fail(wrong(key, "a text"));
    into = value.get<std::string>();
    constexpr std::size_t bytes_max = 1024;
    if (into.size() > bytes_max) return fail(wrong(key, "at most 1024 bytes"));
    return {};
}

Result<std::optional<std::int64_t>> integer(const Json& json, const char* key) {
    const Json& value = member(json, key);
    if (value.is_null()) return std::optional<std::int64_t>();
    constexpr std::int64_t most = std::int64_t{1} << 53;  // that JavaScript can say
    if (!value.is_number_integer() || value.get<double>() < 0 ||
        value.get<double>() > static_cast<double>(most)) {
        return fail(wrong(key, "a whole number from 0 on"));
    }
    return std::optional<std::int64_t>(value.get<std::int64_t>());
}

}  // namespace

Result<hub::MakeReservation> parse_reservation_body(std::string_view text) {
    WEIR_TRY(const Json json,
             object_in(text,
                       {"name",
                        "pool",
                        "nodes",
                        "node_names",
                        "from_at_ms",
                        "duration_ms",
                        "tenant",
                        "maintenance"}));
    hub::MakeReservation wish;
    WEIR_CHECK(read(json, "name", wish.name));
    WEIR_CHECK(read(json, "pool", wish.pool));
    WEIR_CHECK(read(json, "tenant", wish.tenant));
    WEIR_TRY(const auto nodes, integer(json, "nodes"));
    if (nodes.value_or(0) > std::numeric_limits<std::uint32_t>::max()) {
        return fail(wrong("nodes", "a number of nodes"));
    }
    wish.nodes = static_cast<std::uint32_t>(nodes.value_or(0));
    if (const Json& names = member(json, "node_names"); !names.is_null()) {
        if (!names.is_array()) return fail(wrong("node_names", "a list of names"));
        for (const Json& name : names) {
            if (!name.is_string()) return fail(wrong("node_names", "a list of names"));
            wish.node_names.push_back(name.get<std::string>());
        }
    }
    WEIR_TRY(const auto from, integer(json, "from_at_ms"));
    if (from) wish.from = Time{Duration{*from}};
    WEIR_TRY(const auto duration, integer(json, "duration_ms"));
    wish.duration = Duration{duration.value_or(0)};
    if (const Json& maintenance = member(json, "maintenance"); !maintenance.is_null()) {
        if (!maintenance.is_boolean()) return fail(wrong("maintenance", "true or false"));
        wish.maintenance = maintenance.get<bool>();
    }
    return wish;
}

Result<hub::MoveLoan> parse_break_body(std::string_view text, std::string loan) {
    WEIR_TRY(const Json json, object_in(text, {"by"}));
    std::string by;
    WEIR_CHECK(read(json, "by", by));
    if (by != "lender" && by != "borrower") return fail(wrong("by", "lender or borrower"));
    return hub::MoveLoan{
        std::move(loan),
        by == "lender" ? tenancy::LoanEvent::lender_breaks : tenancy::LoanEvent::borrower_breaks};
}

Result<hub::OfferLoan> parse_loan_body(std::string_view text) {
    WEIR_TRY(const Json json,
             object_in(text,
                       {"name",
                        "from",
                        "to",
                        "chips",
                        "starts_at_ms",
                        "ends_at_ms",
                        "notice_ms",
                        "price",
                        "early_recall",
                        "penalty"}));
    hub::OfferLoan wish;
    hub::LoanTerms& terms = wish.terms;
    WEIR_CHECK(read(json, "name", terms.name));
    WEIR_CHECK(read(json, "from", terms.lender));
    WEIR_CHECK(read(json, "to", terms.borrower));
    const Json& chips = member(json, "chips");
    constexpr const char* amounts = "amounts by chip, as in a tenants file: {\"h20\": \"16\"}";
    if (!chips.is_object()) return fail(wrong("chips", amounts));
    for (const auto& [name, amount] : chips.items()) {
        if (!amount.is_string()) return fail(wrong("chips", amounts));
        wish.chips[name] = amount.get<std::string>();
    }
    WEIR_TRY(const auto starts, integer(json, "starts_at_ms"));
    WEIR_TRY(const auto ends, integer(json, "ends_at_ms"));
    if (!starts || !ends) return fail(wrong(starts ? "ends_at_ms" : "starts_at_ms", "a time"));
    terms.window = {Time{Duration{*starts}}, Time{Duration{*ends}}};
    WEIR_TRY(const auto notice, integer(json, "notice_ms"));
    terms.notice = Duration{notice.value_or(0)};
    std::string price;
    WEIR_CHECK(read(json, "price", price));
    if (const auto parsed = parse_price(price)) {
        terms.price = *parsed;
    } else {
        return fail(parsed.error().at("price"));
    }
    const Currency currency = terms.price.of_chip_hour.currency;
    for (const auto& [key, amount] :
         {std::pair{"early_recall", &terms.early_recall}, std::pair{"penalty", &terms.penalty}}) {
        std::string money;
        WEIR_CHECK(read(json, key, money));
        *amount = {0, currency};
        if (money.empty()) continue;
        const auto parsed = parse_money(money);
        if (!parsed) return fail(parsed.error().at(key));
        *amount = *parsed;
    }
    return wish;
}

Result<hub::DrainNode> parse_drain_body(std::string_view text, std::string node) {
    WEIR_TRY(const Json json, object_in(text, {"reason"}));
    hub::DrainNode wish{.node = std::move(node), .reason = {}};
    WEIR_CHECK(read(json, "reason", wish.reason));
    return wish;
}

Result<hub::SetPowerCap> parse_power_body(std::string_view text) {
    WEIR_TRY(const Json json, object_in(text, {"domain", "watts"}));
    hub::SetPowerCap wish;
    WEIR_CHECK(read(json, "domain", wish.domain));
    if (!json.contains("watts"))
        return fail(wrong("watts", "a number above 0, or null for what the fleet file says"));
    const Json& watts = json.at("watts");
    if (watts.is_null()) return wish;
    if (!watts.is_number() || watts.get<double>() <= 0) {
        return fail(wrong("watts", "a number above 0, or null for what the fleet file says"));
    }
    wish.watts = watts.get<double>();
    return wish;
}

Result<void> parse_empty_body(std::string_view text) {
    WEIR_CHECK(object_in(text, {}));
    return {};
}

}  // namespace weir::api
