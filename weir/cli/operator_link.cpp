// The part of HubLink that operators use: reservations, nodes, organisations, budgets of watts.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "weir/api/client.hpp"
#include "weir/api/target.hpp"
#include "weir/cli/hub_link.hpp"
#include "weir/cli/hub_link_json.hpp"

namespace weir::cli {
namespace {

ReservationInfo reservation_of(const Json& json) {
    ReservationInfo info;
    info.name = field<std::string>(json, "name");
    info.tenant = field<std::string>(json, "tenant");
    info.maintenance = field<bool>(json, "maintenance");
    info.from_at_ms = field<std::int64_t>(json, "from_at_ms");
    info.until_at_ms = field<std::int64_t>(json, "until_at_ms");
    for (const Json& run : json.value("nodes", Json::array())) {
        const auto count = field<std::uint64_t>(run, "count");
        info.count += count;
        info.nodes += (info.nodes.empty() ? "" : ", ") + field<std::string>(run, "first");
        if (count > 1) info.nodes += " to " + field<std::string>(run, "last");
    }
    info.running = field<std::vector<std::string>>(json, "running");
    info.waiting = field<std::uint64_t>(json, "waiting");
    return info;
}

TenantInfo tenant_of(const Json& json) {
    TenantInfo info;
    info.path = field<std::string>(json, "tenant");
    info.weight = field<double>(json, "weight", 1);
    info.share = optional_field<double>(json, "share");
    info.rank = optional_field<std::uint64_t>(json, "rank");
    info.running = field<std::uint64_t>(json, "running");
    info.waiting = field<std::uint64_t>(json, "waiting");
    for (const Json& one : json.value("resources", Json::array())) {
        info.resources.push_back({field<std::string>(one, "resource"),
                                  field<std::string>(one, "unit"),
                                  field<double>(one, "owns"),
                                  field<double>(one, "uses"),
                                  field<double>(one, "borrows"),
                                  field<double>(one, "lends"),
                                  field<double>(one, "may_have")});
    }
    info.loans_given = json.value("loans_given", info.loans_given);
    info.loans_taken = json.value("loans_taken", info.loans_taken);
    return info;
}

tenancy::Statement statement_of(const Json& json) {
    tenancy::Statement statement;
    statement.organisation = field<std::string>(json, "organisation");
    const auto time_in = [&json](const char* key) {
        return Time{Duration{field<std::int64_t>(json, key)}};
    };
    statement.month = {time_in("begins_at_ms"), time_in("ends_at_ms")};
    const auto currency = field<std::string>(json, "currency");
    std::copy_n(currency.begin(),
                std::min(currency.size(), statement.currency.letters.size()),
                statement.currency.letters.begin());
    for (const Json& row : json.at("rows")) {
        statement.rows.push_back({field<std::string>(row, "organisation"),
                                  field<std::string>(row, "what"),
                                  field<std::string>(row, "class"),
                                  field<std::string>(row, "chip"),
                                  field<std::uint64_t>(row, "chip_ms_milli"),
                                  field<std::uint64_t>(row, "lent_chip_ms_milli"),
                                  field<std::int64_t>(row, "cost_micros"),
                                  field<std::int64_t>(row, "covered_micros"),
                                  field<std::int64_t>(row, "paid_micros"),
                                  field<std::int64_t>(row, "received_micros")});
    }
    for (const Json& voucher : json.at("vouchers")) {
        statement.vouchers.push_back(
            {tenancy::VoucherId{voucher.at("number").get<std::uint32_t>() - 1},
             field<std::string>(voucher, "holder"),
             field<std::int64_t>(voucher, "spent_micros"),
             field<std::int64_t>(voucher, "left_micros")});
    }
    statement.out_of_balance = field<std::int64_t>(json, "out_of_balance_micros", 0);
    return statement;
}

}  // namespace

Result<Answer<std::string>> HubLink::operate(const std::string& path, const std::string& body) {
    WEIR_TRY(std::string reply, client_->post(path, body, api::Repeat::never));
    return decoded<std::string>(url_, std::move(reply), [](const Json& json) {
        return json.at("done").get<std::string>();
    });
}

Result<Answer<std::string>> HubLink::reserve(const ReserveRequest& request) {
    Json body = {{"name", request.name}, {"duration_ms", request.duration_ms}};
    if (!request.pool.empty()) body["pool"] = request.pool;
    if (request.nodes > 0) body["nodes"] = request.nodes;
    if (!request.node_names.empty()) body["node_names"] = request.node_names;
    if (request.from_at_ms) body["from_at_ms"] = *request.from_at_ms;
    if (!request.tenant.empty()) body["tenant"] = request.tenant;
    if (request.maintenance) body["maintenance"] = true;
    return operate("/v1/reservations", text_of(body));
}

Result<Answer<std::string>> HubLink::unreserve(const std::string& name) {
    return operate("/v1/reservations/" + api::encode_component(name) + "/delete", "{}");
}

Result<Answer<std::string>> HubLink::drain(const std::string& node, const std::string& reason) {
    return operate("/v1/nodes/" + api::encode_component(node) + "/drain",
                   text_of({{"reason", reason}}));
}

Result<Answer<std::string>> HubLink::restore(const std::string& node) {
    return operate("/v1/nodes/" + api::encode_component(node) + "/restore", "{}");
}

Result<Answer<std::string>> HubLink::set_power(const std::string& domain,
                                               std::optional<double> watts) {
    return operate("/v1/power",
                   text_of({{"domain", domain}, {"watts", watts ? Json(*watts) : Json()}}));
}

Result<Answer<std::vector<ReservationInfo>>> HubLink::reservations() {
    WEIR_TRY(std::string reply, client_->get("/v1/reservations"));
    return decoded<std::vector<ReservationInfo>>(url_, std::move(reply), [](const Json& json) {
        std::vector<ReservationInfo> all;
        for (const Json& one : json.at("reservations"))
            all.push_back(reservation_of(one));
        return all;
    });
}

Result<Answer<std::vector<DatasetInfo>>> HubLink::datasets() {
    WEIR_TRY(std::string reply, client_->get("/v1/datasets"));
    return decoded<std::vector<DatasetInfo>>(url_, std::move(reply), [](const Json& json) {
        std::vector<DatasetInfo> all;
        for (const Json& one : json.at("datasets")) {
            DatasetInfo& info = all.emplace_back();
            info.name = field<std::string>(one, "dataset");
            info.size_bytes = field<std::int64_t>(one, "size_bytes");
            info.made_by = field<std::string>(one, "made_by");
            info.keep_until_ms = optional_field<std::int64_t>(one, "keep_until_ms");
            for (const Json& each : one.at("places")) {
                DatasetInfo::Place& place = info.places.emplace_back();
                place.site = field<std::string>(each, "site");
                place.state = field<std::string>(each, "state");
                place.from = field<std::string>(each, "from");
                place.trouble = field<std::string>(each, "trouble");
                place.expected_at_ms = optional_field<std::int64_t>(each, "expected_at_ms");
            }
        }
        return all;
    });
}

Result<Answer<std::vector<TenantInfo>>> HubLink::tenants() {
    WEIR_TRY(std::string reply, client_->get("/v1/tenants"));
    return decoded<std::vector<TenantInfo>>(url_, std::move(reply), [](const Json& json) {
        std::vector<TenantInfo> all;
        for (const Json& one : json.at("tenants"))
            all.push_back(tenant_of(one));
        return all;
    });
}

Result<Answer<std::vector<LoanInfo>>> HubLink::loans() {
    WEIR_TRY(std::string reply, client_->get("/v1/loans"));
    return decoded<std::vector<LoanInfo>>(url_, std::move(reply), [](const Json& json) {
        std::vector<LoanInfo> all;
        for (const Json& one : json.at("loans")) {
            LoanInfo& info = all.emplace_back();
            info.name = field<std::string>(one, "loan");
            info.lender = field<std::string>(one, "from");
            info.borrower = field<std::string>(one, "to");
            for (const Json& each : one.at("amounts")) {
                TenantAmountInfo& amount = info.amounts.emplace_back();
                amount.resource = field<std::string>(each, "resource");
                amount.unit = field<std::string>(each, "unit");
                amount.owns = field<double>(each, "amount");
            }
            info.state = field<std::string>(one, "state");
            info.starts_at_ms = field<std::int64_t>(one, "starts_at_ms");
            info.ends_at_ms = field<std::int64_t>(one, "ends_at_ms");
            info.deadline_at_ms = optional_field<std::int64_t>(one, "deadline_at_ms");
            info.notice_ms = field<std::int64_t>(one, "notice_ms");
            info.price = field<std::string>(one, "price");
            info.reason = optional_field<std::string>(one, "reason").value_or("");
        }
        return all;
    });
}

Result<Answer<std::string>> HubLink::offer_loan(const LoanRequest& request) {
    Json body = {{"name", request.name},
                 {"from", request.lender},
                 {"to", request.borrower},
                 {"chips", request.chips},
                 {"starts_at_ms", request.starts_at_ms},
                 {"ends_at_ms", request.ends_at_ms},
                 {"notice_ms", request.notice_ms},
                 {"price", request.price}};
    if (!request.early_recall.empty()) body["early_recall"] = request.early_recall;
    if (!request.penalty.empty()) body["penalty"] = request.penalty;
    return operate("/v1/loans", text_of(body));
}

Result<Answer<std::string>> HubLink::move_loan(const std::string& name,
                                               const std::string& how,
                                               const std::string& by) {
    return operate("/v1/loans/" + api::encode_component(name) + "/" + how,
                   by.empty() ? "{}" : text_of({{"by", by}}));
}

Result<Answer<tenancy::Statement>> HubLink::statement(const std::string& tenant,
                                                      const std::string& month) {
    std::string path = "/v1/statement?tenant=" + api::encode_component(tenant);
    if (!month.empty()) path += "&month=" + api::encode_component(month);
    WEIR_TRY(std::string reply, client_->get(path));
    return decoded<tenancy::Statement>(url_, std::move(reply), statement_of);
}

Result<Answer<std::vector<PowerInfo>>> HubLink::power(const std::string& of) {
    const std::string path = of.empty() ? "/v1/power" : "/v1/power?of=" + api::encode_component(of);
    WEIR_TRY(std::string reply, client_->get(path));
    return decoded<std::vector<PowerInfo>>(url_, std::move(reply), [](const Json& json) {
        std::vector<PowerInfo> all;
        for (const Json& one : json.at("power")) {
            all.push_back({field<std::string>(one, "domain"),
                           optional_field<double>(one, "draw_watts"),
                           optional_field<double>(one, "budget_watts"),
                           field<std::string>(one, "note")});
        }
        return all;
    });
}

}  // namespace weir::cli
