// Every address of the API, over a real hub.
#include <gmock/gmock.h>

#include <atomic>

#include <nlohmann/json.hpp>

#include "weir/api/embedded.hpp"
#include "weir/api/raw_socket.hpp"
#include "weir/api/service_fixture.hpp"
#include "weir/api/target.hpp"

namespace weir::api {
namespace {

using Json = nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

// The body that submits YAML texts.
std::string body_of(const std::vector<std::string>& texts, const std::string& key = "") {
    Json jobs = Json::array();
    for (const std::string& text : texts) {
        Json job = {{"format", "yaml"}, {"text", text}, {"source", "a.yaml"}};
        if (!key.empty()) job["key"] = key;
        jobs.push_back(std::move(job));
    }
    return Json{{"jobs", std::move(jobs)}, {"user", "ada"}, {"workdir", "/tmp"}}.dump();
}

std::string yaml(const std::string& name, const std::string& more = "") {
    return "name: " + name + "\nrun: echo hi\n" + more;
}

Json json_of(const Result<std::string>& reply) {
    EXPECT_TRUE(reply.has_value()) << reply.error().message;
    return reply.has_value() ? Json::parse(*reply) : Json();
}

void expect_error(const Result<std::string>& reply, Code code, const std::string& part) {
    ASSERT_FALSE(reply.has_value()) << *reply;
    EXPECT_EQ(reply.error().code, code) << reply.error().message;
    EXPECT_THAT(reply.error().message, HasSubstr(part));
}

TEST_F(ServiceTest, FollowsAJobFromSubmissionToItsEnd) {
    const std::string limited = yaml("wing", "time: {limit: 1h}\n");
    const Json accepted = json_of(post("/v1/jobs", body_of({limited})));
    EXPECT_EQ(accepted,
              Json::parse(R"({"jobs":[{"id":"1","count":1,"repeated":false,"notes":[]}]})"));
    run_job(1, "hello\n");
    Json job;
    do {
        job = json_of(get("/v1/jobs/wing")).at("jobs").at(0);
    } while (job["state"] == "pending" || job["state"] == "running");
    EXPECT_EQ(job["state"], "succeeded");
    EXPECT_EQ(job["id"], "1");
    EXPECT_EQ(job["user"], "ada");
    EXPECT_EQ(job["workdir"], "/tmp");
    EXPECT_EQ(job["array_index"], nullptr);
    EXPECT_EQ(job["exit_code"], 0);
    EXPECT_EQ(job["max_rss_bytes"], 3 << 20);
    EXPECT_EQ(job["cpu_ms"], 250);
    EXPECT_EQ(job["spec"]["name"], "wing");
    ASSERT_EQ(job["attempts"].size(), 1U);
    EXPECT_EQ(job["attempts"][0]["kind"], "exited");
    EXPECT_EQ(job["attempts"][0]["tasks"][0]["node"], job["nodes"][0]);
    EXPECT_GE(job["started_at_ms"].get<std::int64_t>(), job["submitted_at_ms"].get<std::int64_t>());
}

TEST_F(ServiceTest, TakesABatchWholeOrNotAtAll) {
    expect_error(
        post("/v1/jobs", body_of({yaml("good"), "name: bad\nrnu: x\n"})), Code::invalid, "a.yaml");
    EXPECT_EQ(json_of(get("/v1/jobs")), Json::parse(R"({"jobs":[]})"));
    const Json accepted =
        json_of(post("/v1/jobs", body_of({yaml("a"), yaml("b", "after: [a]\n")})));
    EXPECT_EQ(accepted["jobs"].size(), 2U);
    EXPECT_EQ(json_of(get("/v1/jobs/b"))["jobs"][0]["state"], "held");
}

TEST_F(ServiceTest, AcceptsScriptsAndReadyMadeDescriptions) {
    const std::string script = "#!/bin/sh\n#SBATCH -J batch\n#SBATCH --frobnicate\necho $1\n";
    Json job = {{"format", "sbatch"}, {"text", script}, {"source", "b.sh"}, {"args", {"water"}}};
    Json body = {{"jobs", {job}}, {"user", "ada"}, {"workdir", "/tmp"}, {"env", {{"TIDE", "low"}}}};
    const Json accepted = json_of(post("/v1/jobs", body.dump()));
    EXPECT_THAT(accepted["jobs"][0]["notes"].dump(), HasSubstr("frobnicate"));
    Json shown = json_of(get("/v1/jobs/batch"))["jobs"][0];
    // Names are shown, values are the job's own affair.
    EXPECT_EQ(shown["env_names"], Json::parse(R"(["SLURM_NTASKS","TIDE"])"));
    EXPECT_EQ(get("/v1/jobs/batch")->find("low"), std::string::npos);
    const exec::Launch launch = executor_.launch_of({JobId(1), 1});
    EXPECT_EQ(launch.env.at("TIDE"), "low");

    shown["spec"]["name"] = "again";
    job = {{"format", "spec"}, {"spec", shown["spec"]}};
    body["jobs"] = {job};
    EXPECT_TRUE(post("/v1/jobs", body.dump()).has_value());
    EXPECT_EQ(json_of(get("/v1/jobs/again"))["jobs"][0]["spec"], shown["spec"]);
}

TEST_F(ServiceTest, AnswersARepeatedKeyWithTheEarlierJob) {
    const Json first = json_of(post("/v1/jobs", body_of({yaml("once")}, "k1")));
    const Json second = json_of(post("/v1/jobs", body_of({yaml("once")}, "k1")));
    EXPECT_EQ(second["jobs"][0]["id"], first["jobs"][0]["id"]);
    EXPECT_EQ(second["jobs"][0]["repeated"], true);
    expect_error(post("/v1/jobs", body_of({yaml("other")}, "k1")), Code::conflict, "k1");
}

TEST_F(ServiceTest, RefusesBadBodiesWithOneSentenceAndChangesNothing) {
    const std::string job = R"({"format":"yaml","text":"name: a\nrun: b\n"})";
    const auto with = [](const std::string& jobs, const std::string& more = "") {
        return R"({"jobs":[)" + jobs + "]" + more + "}";
    };
    struct Case {
        std::string body;
        std::string part;
    };
    const std::vector<Case> cases = {
        {"", "not valid JSON"},
        {"{\"jobs\":[", "not valid JSON (at byte"},
        {"[]", "expected an object"},
        {"{}", "body.jobs"},
        {with(""), "at least one job"},
        {with("1"), "jobs[0]: expected an object"},
        {with(job, R"(,"userr":"a")"), "unknown key \"userr\"; valid: jobs, user, workdir, env"},
        {with(job, R"(,"user":7)"), "body.user: must be text"},
        {with(job, R"(,"user":"a\nb")"), "control character"},
        {with(job, R"(,"user":"a","user":"b")"), "\"user\" stands twice"},
        {with(job, R"(,"workdir":"here")"), "not an absolute path"},
        {with(job, R"(,"env":{"A=B":"c"})"), "body.env"},
        {with(job, R"(,"env":{"A":1})"), "body.env"},
        {with(R"({"format":"toml","text":"x"})"), "valid: yaml, sbatch, spec"},
        {with(R"({"format":"yaml","spec":{}})"), "jobs[0]"},
        {with(R"({"format":"spec","text":""})"), "jobs[0]"},
        {with(R"({"format":"yaml","text":"name: a\nrun: b\n","args":["x"]})"), "jobs[0].args"},
        {with(R"({"format":"spec","spec":{"script":1}})"), "script"},
        {with(job + "," + R"({"format":"yaml","text":"name: a\nrun: b\nchip: 3\n"})"), "chip"},
        {with(R"({"format":"yaml","text":")" + std::string(2 << 20, 'x') + "\"}"), "1MiB"},
        {std::string(5000, '[') + std::string(5000, ']'), "nested more than"},
    };
    for (const Case& each : cases) {
        const auto reply = post("/v1/jobs", each.body);
        ASSERT_FALSE(reply.has_value()) << each.body.substr(0, 100);
        EXPECT_THAT(reply.error().message, HasSubstr(each.part)) << each.body.substr(0, 100);
        EXPECT_NE(reply.error().code, Code::internal);
    }
    EXPECT_EQ(json_of(get("/v1/jobs"))["jobs"].size(), 0U);
}

TEST_F(ServiceTest, RefusesASmallBodyThatWouldGrowLarge) {
    Json job = {{"format", "yaml"}, {"text", yaml("a")}};
    Json body = {{"jobs", Json::array()}, {"env", {{"A", std::string(100'000, 'e')}}}};
    for (int i = 0; i < 5000; ++i)
        body["jobs"].push_back(job);
    expect_error(post("/v1/jobs", body.dump()), Code::too_large, "body.env");
}

TEST_F(ServiceTest, RefusesAnAliasBombWithOneSentence) {
    std::string bomb = "name: bomb\nrun: echo\nenv: {a: &a x}\n";
    for (char c = 'b'; c < 'z'; ++c) {
        const char before = static_cast<char>(c - 1);
        bomb += std::string("k") + c + ": &" + c + " [";
        for (int i = 0; i < 9; ++i)
            bomb += std::string(i > 0 ? "," : "") + "*" + before;
        bomb += "]\n";
    }
    const auto reply = post("/v1/jobs", body_of({bomb}));
    ASSERT_FALSE(reply.has_value());
    EXPECT_THAT(reply.error().message, HasSubstr("a.yaml"));
    EXPECT_LT(reply.error().message.size(), 4000U);
    EXPECT_EQ(json_of(get("/v1/jobs"))["jobs"].size(), 0U);
}

TEST_F(ServiceTest, RefusesABodyOverSixteenMebibytesAndGoesOn) {
    const auto reply = post("/v1/jobs", std::string((16 << 20) + 1, 'x'));
    expect_error(reply, Code::too_large, "16MiB");
    EXPECT_EQ(json_of(get("/v1/health")), Json::parse(R"({"ok":true})"));
}

TEST_F(ServiceTest, SaysThatAJobCanNeverFit) {
    expect_error(post("/v1/jobs", body_of({yaml("huge", "gang: {replicas: 3, chips: 4}\n")})),
                 Code::never_fits,
                 "");
}

TEST_F(ServiceTest, ListsJobsNewestFirstAndFiltersThem) {
    ASSERT_TRUE(post("/v1/jobs",
                     body_of({yaml("a", "tenant: lab/x\n"),
                              yaml("b", "tenant: lab/y\n"),
                              yaml("c", "after: [a]\n")}))
                    .has_value());
    const auto names = [this](const std::string& query) {
        std::vector<std::string> list;
        const Json answer = json_of(get("/v1/jobs" + query));
        for (const Json& job : answer["jobs"])
            list.push_back(job["name"]);
        return list;
    };
    EXPECT_THAT(names(""), ElementsAre("c", "b", "a"));
    EXPECT_THAT(names("?limit=1"), ElementsAre("c"));
    EXPECT_THAT(names("?state=held"), ElementsAre("c"));
    EXPECT_THAT(names("?state=running,held&limit=2"), ElementsAre("c", "b"));
    EXPECT_THAT(names("?name=b"), ElementsAre("b"));
    EXPECT_THAT(names("?tenant=lab%2Fx"), ElementsAre("a"));
    EXPECT_THAT(names("?user=nobody"), ElementsAre());
    expect_error(get("/v1/jobs?state=asleep"), Code::invalid, "valid: held, pending, running");
    for (const char* path : {"/v1/jobs?tenant=lab%2F%2Fx", "/v1/statement?tenant=lab%2F..%2Fy"})
        expect_error(get(path), Code::invalid, "parameter tenant");
    expect_error(get("/v1/jobs?limit=0"), Code::invalid, "limit");
    expect_error(get("/v1/jobs?limit=1&limit=2"), Code::invalid, "given twice");
    expect_error(get("/v1/jobs?sate=held"), Code::invalid, "\"sate\" is not known here");
}

TEST_F(ServiceTest, ShowsAnArrayMemberByMember) {
    const Json accepted =
        json_of(post("/v1/jobs", body_of({yaml("sweep", "array: 0-2\ngang: {chips: 1}\n")})));
    EXPECT_EQ(accepted["jobs"][0]["count"], 3);
    const Json jobs = json_of(get("/v1/jobs/1"))["jobs"];
    ASSERT_EQ(jobs.size(), 3U);
    EXPECT_EQ(jobs[1]["array_index"], 1);
    EXPECT_EQ(jobs[1]["id"], "1_1");
    EXPECT_EQ(json_of(get("/v1/jobs/1_2"))["jobs"].size(), 1U);
    expect_error(get("/v1/jobs/1/logs"), Code::invalid, "name one, for example 1_0");

    const Json page = json_of(get("/v1/jobs/1?offset=1&limit=1&state=running,pending"));
    EXPECT_EQ(page["total"], 3);
    ASSERT_EQ(page["jobs"].size(), 1U);
    EXPECT_EQ(page["jobs"][0]["id"], "1_1");
    expect_error(get("/v1/jobs/1?limit=1001"), Code::invalid, "limit");
    const Json counts = json_of(get("/v1/jobs/sweep/counts"));
    EXPECT_EQ(counts["id"], "1");
    EXPECT_EQ(counts["members"], 3);
    EXPECT_EQ(counts["ended"], 0);
    EXPECT_EQ(counts["states"]["running"], 3);
    EXPECT_EQ(counts["first_failed"], nullptr);
    expect_error(get("/v1/jobs/nobody/counts"), Code::not_found, "nobody");
}

TEST_F(ServiceTest, CancelsAndSaysHowManyWereNotYetOver) {
    ASSERT_TRUE(post("/v1/jobs", body_of({yaml("a"), yaml("b", "after: [a]\n")})).has_value());
    EXPECT_EQ(json_of(post("/v1/jobs/b/cancel", "")), Json::parse(R"({"cancelled":1})"));
    EXPECT_EQ(json_of(post("/v1/jobs/b/cancel", "")), Json::parse(R"({"cancelled":0})"));
    EXPECT_EQ(json_of(get("/v1/jobs/b"))["jobs"][0]["state"], "cancelled");
    expect_error(post("/v1/jobs/nobody/cancel", ""), Code::not_found, "nobody");
}

TEST_F(ServiceTest, ExplainsWhyAJobWaits) {
    ASSERT_TRUE(post("/v1/jobs",
                     body_of({yaml("a", "gang: {replicas: 2, chips: 4}\n"),
                              yaml("b", "gang: {chips: 1}\n")}))
                    .has_value());
    executor_.launch_of({JobId(1), 1});
    const Json why = json_of(get("/v1/jobs/b/explain"));
    EXPECT_EQ(why["id"], "2");
    EXPECT_EQ(why["state"], "pending");
    EXPECT_EQ(why["ahead"], 0);
    EXPECT_FALSE(why["sentence"].get<std::string>().empty());
    EXPECT_FALSE(why["cause"].get<std::string>().empty());
    EXPECT_TRUE(why["details"].is_array());
    EXPECT_TRUE(why.contains("starts_at_ms"));
}

TEST_F(ServiceTest, ServesOutputInSlicesUntilTheJobIsOver) {
    ASSERT_TRUE(post("/v1/jobs", body_of({yaml("loud")})).has_value());
    const exec::Launch launch = executor_.launch_of({JobId(1), 1});
    const auto slice = [this](const std::string& query) {
        auto reply = client_->get_raw("/v1/jobs/loud/logs" + query);
        EXPECT_TRUE(reply.has_value()) << reply.error().message;
        return reply.has_value() ? *reply : Reply{};
    };
    Reply empty = slice("");
    EXPECT_EQ(empty.body, "");
    EXPECT_EQ(empty.header("x-weir-offset"), "0");
    EXPECT_EQ(empty.header("x-weir-end"), "");
    write_output(launch, "one\ntwo\nthree\n");
    EXPECT_EQ(slice("?limit=4").body, "one\n");
    EXPECT_EQ(slice("?offset=4&limit=100").body, "two\nthree\n");
    EXPECT_EQ(slice("?offset=4&limit=100").header("x-weir-offset"), "14");
    EXPECT_EQ(slice("?offset=900").body, "");
    EXPECT_EQ(slice("?offset=900").header("x-weir-offset"), "14");
    EXPECT_EQ(slice("?tail=8").body, "three\n");  // whole lines only
    EXPECT_EQ(slice("?stream=stderr").body, "");
    EXPECT_EQ(slice("?rank=0&attempt=1").header("x-weir-attempt"), "1");
    run_job(launch.attempt.job.value, "end\n");
    while (json_of(get("/v1/jobs/loud"))["jobs"][0]["state"] != "succeeded") {
    }
    EXPECT_EQ(slice("?offset=14&limit=2").header("x-weir-end"), "");
    EXPECT_EQ(slice("?offset=14").header("x-weir-end"), "1");
    EXPECT_EQ(slice("?offset=14").body, "end\n");

    const auto refused = [this](const std::string& query, const std::string& part) {
        expect_error(
            get("/v1/jobs/loud/logs" + query),
            query.find("rank") != std::string::npos || query.find("attempt") != std::string::npos
                ? Code::not_found
                : Code::invalid,
            part);
    };
    refused("?stream=both", "valid: stdout, stderr");
    refused("?offset=-1", "offset");
    refused("?limit=99999999", "limit");
    refused("?tail=3&offset=2", "exclude");
    refused("?rank=1", "no rank 1");
    refused("?attempt=2", "no attempt 2");
}

TEST_F(ServiceTest, RefusesToReadAPipeThatAJobNamedAsItsOutput) {
    const std::string pipe = folder_ + "/pipe";
    std::filesystem::create_symlink("/dev/zero", pipe);
    const std::string script = "#!/bin/sh\n#SBATCH -J piped -o " + pipe + "\necho\n";
    const Json job = {{"format", "sbatch"}, {"text", script}};
    const Json body = {{"jobs", {job}}, {"workdir", folder_}};
    ASSERT_TRUE(post("/v1/jobs", body.dump()).has_value());
    executor_.launch_of({JobId(1), 1});
    expect_error(get("/v1/jobs/piped/logs"), Code::invalid, "not a regular file");
}

TEST_F(ServiceTest, ShowsTheFleetWithItsRatesAndWhatIsFree) {
    ASSERT_TRUE(
        post("/v1/jobs", body_of({yaml("a", "gang: {chips: 0.5, cpus: 2, memory: 2GiB}\n")}))
            .has_value());
    executor_.launch_of({JobId(1), 1});
    const Json pool = json_of(get("/v1/fleet"))["pools"].at(0);
    EXPECT_EQ(pool["site"], "local");
    EXPECT_EQ(pool["name"], "main");
    EXPECT_EQ(pool["nodes"], 2);
    EXPECT_EQ(pool["nodes_idle"], 1);
    EXPECT_EQ(pool["chips_total"], 8);
    EXPECT_EQ(pool["chips_free"], 7.5);
    EXPECT_EQ(pool["cpus_free"], 14);
    EXPECT_EQ(pool["memory_total_bytes"], std::int64_t{64} << 30);
    EXPECT_EQ(pool["memory_free_bytes"], std::int64_t{62} << 30);
    EXPECT_EQ(pool["jobs_running"], 1);
    EXPECT_EQ(pool["rates"][0]["basis"], "measured");
}

TEST_F(ServiceTest, TakesNodesOutOfServiceAndBackIntoIt) {
    const Json done = json_of(post("/v1/nodes/main-1/drain", R"({"reason":"new fans"})"));
    EXPECT_THAT(done["done"], HasSubstr("main-1 is drained; nothing runs on it"));
    Json pool = json_of(get("/v1/fleet"))["pools"][0];
    EXPECT_EQ(pool["nodes_up"], 1);
    EXPECT_EQ(pool["drained"][0]["node"], "main-1");
    EXPECT_EQ(pool["drained"][0]["reason"], "new fans");
    EXPECT_TRUE(post("/v1/nodes/main-1/restore", "").has_value());
    pool = json_of(get("/v1/fleet"))["pools"][0];
    EXPECT_EQ(pool["nodes_up"], 2);
    EXPECT_TRUE(pool["drained"].empty());
    expect_error(post("/v1/nodes/main-7/drain", ""), Code::not_found, "main-0 to main-1");
    expect_error(post("/v1/nodes/main-1/drain", R"({"why":"x"})"), Code::invalid, "valid: reason");
}

TEST_F(ServiceTest, KeepsReservations) {
    const std::string body =
        R"({"name":"night","node_names":["main-1"],"duration_ms":3600000,"tenant":"lab"})";
    EXPECT_THAT(json_of(post("/v1/reservations", body))["done"],
                HasSubstr("reservation night: 1 node (main-1) from "));
    expect_error(post("/v1/reservations", body), Code::conflict, "already");
    const Json known = json_of(get("/v1/reservations"))["reservations"];
    ASSERT_EQ(known.size(), 1U);
    EXPECT_EQ(known[0]["tenant"], "lab");
    EXPECT_EQ(known[0]["nodes"][0]["first"], "main-1");
    EXPECT_EQ(
        known[0]["until_at_ms"].get<std::int64_t>() - known[0]["from_at_ms"].get<std::int64_t>(),
        3'600'000);
    expect_error(
        post("/v1/jobs", body_of({yaml("a", "reservation: night\ntime: {limit: 1min}\n")})),
        Code::denied,
        "reservation: night is for jobs of lab");
    EXPECT_TRUE(post("/v1/reservations/night/delete", "").has_value());
    expect_error(post("/v1/reservations/night/delete", ""), Code::not_found, "night");
    expect_error(post("/v1/reservations", R"({"name":"x","nodes":-1})"), Code::invalid, "nodes");
}

TEST_F(ServiceTest, SetsBudgetsOfWatts) {
    Json power = json_of(get("/v1/power"))["power"];
    ASSERT_EQ(power.size(), 1U);
    EXPECT_EQ(power[0]["domain"], "local");
    EXPECT_EQ(power[0]["budget_watts"], nullptr);
    EXPECT_TRUE(post("/v1/power", R"({"domain":"main/rack/0","watts":900})").has_value());
    power = json_of(get("/v1/power?of=main/rack/0"))["power"];
    EXPECT_EQ(power[0]["budget_watts"], 900.0);
    EXPECT_EQ(power[0]["draw_watts"], 200.0);
    EXPECT_EQ(power[0]["note"], "");
    expect_error(post("/v1/power", R"({"domain":"main","watts":900})"),
                 Code::not_found,
                 "write the name of a site (local), a rack as POOL/rack/NUMBER");
    expect_error(post("/v1/power", R"({"domain":"local"})"), Code::invalid, "watts");
    expect_error(post("/v1/power", R"({"domain":"local","watts":0})"),
                 Code::invalid,
                 "watts: expected a number above 0, or null for what the fleet file says");
}

TEST_F(ServiceTest, SaysHowItIs) {
    ASSERT_TRUE(post("/v1/jobs", body_of({yaml("a"), yaml("b", "after: [a]\n")})).has_value());
    const Json status = json_of(get("/v1/status"));
    EXPECT_EQ(status["version"], "9.9");
    EXPECT_EQ(status["policy"], "weir");
    EXPECT_EQ(status["url"], service_->url());
    EXPECT_EQ(status["jobs_accepted"], 2);
    EXPECT_EQ(status["held"], 1);
    EXPECT_EQ(json_of(get("/v1/doctor")),
              Json::parse(R"({"checks":[{"name":"memory limits","state":"warn","detail":"no"}]})"));
    const auto metrics = client_->get_raw("/metrics");
    ASSERT_TRUE(metrics.has_value());
    EXPECT_THAT(metrics->header("content-type"), HasSubstr("version=0.0.4"));
    EXPECT_THAT(metrics->body, HasSubstr("\nweir_jobs_accepted_total 2\n"));
    EXPECT_THAT(metrics->body, HasSubstr("weir_pool_chips{pool=\"main\",is=\"total\"} 8\n"));
}

TEST_F(ServiceTest, StreamsEveryChangeToAllWhoListen) {
    constexpr int listeners = 200;
    std::vector<std::unique_ptr<RawSocket>> sockets;
    for (int i = 0; i < listeners; ++i) {
        sockets.push_back(std::make_unique<RawSocket>(port()));
        sockets.back()->send("GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }
    while (service_->stats().streams != listeners)
        std::this_thread::yield();
    ASSERT_TRUE(post("/v1/jobs", body_of({yaml("tide")})).has_value());
    run_job(1, "");
    for (const auto& socket : sockets) {
        const std::string& seen = socket->read_until("\"succeeded\"");
        EXPECT_THAT(seen, HasSubstr("\"name\":\"tide\",\"state\":\"running\""));
        EXPECT_THAT(seen, HasSubstr("\"state\":\"succeeded\""));
    }
}

TEST_F(ServiceTest, ServesTheConsoleWithItsPolicyAndRemembersWhatTheBrowserHas) {
    for (const EmbeddedFile& file : embedded_files()) {
        const auto reply = client_->get_raw("/" + std::string(file.path));
        ASSERT_TRUE(reply.has_value()) << file.path;
        EXPECT_EQ(reply->body, file.bytes);
        EXPECT_EQ(reply->header("content-type"), file.type);
        EXPECT_THAT(reply->header("content-security-policy"), HasSubstr("script-src 'self'"));
    }
    const auto page = client_->get_raw("/");
    ASSERT_TRUE(page.has_value());
    EXPECT_THAT(page->body, HasSubstr("<title>weir</title>"));
    RawSocket socket(port());
    socket.send("GET / HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: " +
                std::string(page->header("etag")) + "\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(socket.read_to_end(), HasSubstr("304 Not Modified"));
}

// The policy that is served forbids them; a page that had them would be dead.
TEST_F(ServiceTest, HasNoInlineScriptOrStyleAndAsksNobodyElse) {
    for (const EmbeddedFile& file : embedded_files()) {
        const std::string text(file.bytes);
        EXPECT_EQ(text.find("style=\""), std::string::npos) << file.path;
        EXPECT_EQ(text.find(" onclick="), std::string::npos) << file.path;
        EXPECT_EQ(text.find("innerHTML"), std::string::npos) << file.path;
        EXPECT_EQ(text.find("https://"), std::string::npos) << file.path;
        EXPECT_EQ(text.find("<script>"), std::string::npos) << file.path;
    }
}

TEST_F(ServiceTest, SaysWhatIsPossibleWhereAMethodIsNot) {
    expect_error(get("/v1/nothing"), Code::not_found, "/v1/nothing");
    expect_error(get("/favicon.ico"), Code::not_found, "/favicon.ico");
    expect_error(get("/v1/jobs/77"), Code::not_found, "77");
    expect_error(post("/v1/fleet", "{}"), Code::invalid, "valid: GET");
    RawSocket socket(port());
    socket.send("DELETE /v1/jobs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    const std::string seen = socket.read_to_end();
    EXPECT_THAT(seen, HasSubstr("405 Method Not Allowed"));
    EXPECT_THAT(seen, HasSubstr("Allow: POST, GET\r\n"));
}

TEST_F(ServiceTest, LetsNoForeignPageSubmitOrCancel) {
    for (const char* path : {"/v1/jobs", "/v1/jobs/1/cancel"}) {
        RawSocket socket(port());
        const std::string body = body_of({yaml("forged")});
        socket.send("POST " + std::string(path) +
                    " HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\n"
                    "Content-Type: text/plain\r\nContent-Length: " +
                    std::to_string(body.size()) + "\r\n\r\n" + body);
        EXPECT_THAT(socket.read_until("}}"), HasSubstr("403 Forbidden"));
    }
    EXPECT_EQ(json_of(get("/v1/jobs"))["jobs"].size(), 0U);
}

TEST_F(ServiceTest, StopsUnderLoadWithoutLosingAnAcknowledgedJob) {
    std::atomic<int> acknowledged{0};
    std::vector<std::thread> clients;
    for (int i = 0; i < 4; ++i) {
        clients.emplace_back([this, &acknowledged] {
            Client client(service_->url(), {.patience = seconds(0)});
            while (client.post("/v1/jobs", body_of({yaml("load")})).has_value())
                ++acknowledged;
        });
    }
    while (acknowledged < 50)
        std::this_thread::yield();
    service_->stop();
    for (std::thread& thread : clients)
        thread.join();
    std::atomic<std::uint64_t> accepted{0};
    hub_->status([&accepted](Result<hub::Status> status) { accepted = status->jobs_accepted; });
    while (accepted == 0)
        std::this_thread::yield();
    EXPECT_GE(accepted, static_cast<std::uint64_t>(acknowledged));
}

}  // namespace
}  // namespace weir::api
