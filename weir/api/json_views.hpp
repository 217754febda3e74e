// What the hub knows, as the JSON that clients read (docs/reference/api.md).
//
// Times are integers in milliseconds since the epoch, quantities integers or numbers, ids strings
// (JavaScript rounds large integers). Text that is no UTF-8 (a user's file name) is shown with
// replacement characters rather than breaking the answer. JSON is made and taken apart only here
// and in the two files that read bodies (submit_body.cpp, operation_body.cpp).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/hub/hub.hpp"

namespace weir::api {

// A rate of a chip, with the evidence for it: "measured", "published", "vendor", "assumed".
struct Rate {
    std::string name;  // "fp64", "memory"
    double value = 0;
    std::string unit;  // "FLOP/s", "B/s"
    std::string basis;
};

enum class CheckState : std::uint8_t { ok, warn, fail };

// One line of `weir doctor`.
struct Check {
    std::string name;
    CheckState state = CheckState::ok;
    std::string detail;
};

// What the hub was started with.
struct HubFacts {
    std::string version;
    std::string data_dir;
    std::string url;
};

std::string error_json(const Error& error);
// The error in such a body; none when it is something else.
std::optional<Error> error_from_json(std::string_view json);

std::string accepted_json(const std::vector<hub::Accepted>& accepted);
std::string jobs_json(const std::vector<hub::JobView>& jobs);
std::string members_json(const hub::Members& members);  // each in full
std::string counts_json(const hub::MemberCounts& counts);
std::string cancelled_json(std::uint32_t count);
std::string explain_json(const hub::ExplainView& view);
// rates[i] belongs to pools[i].
std::string fleet_json(const std::vector<hub::PoolView>& pools,
                       const std::vector<std::vector<Rate>>& rates);
std::string reservations_json(const std::vector<hub::ReservationView>& reservations);
std::string datasets_json(const std::vector<hub::DatasetView>& datasets);
std::string tenants_json(const std::vector<hub::TenantView>& tenants);
std::string loans_json(const std::vector<hub::KnownLoan>& loans);
std::string statement_json(const tenancy::Statement& statement);
std::string power_json(const std::vector<hub::PowerView>& domains);
std::string done_json(const std::string& sentence);  // of an operation
std::string checks_json(const std::vector<Check>& checks);
std::string status_json(const hub::Status& status, const HubFacts& facts);
std::string change_json(const hub::Change& change);

}  // namespace weir::api
