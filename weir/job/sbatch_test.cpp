#include "weir/job/sbatch.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "weir/job/sbatch_options.hpp"
#include "weir/job/sbatch_values.hpp"

namespace weir::job {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::string script(const std::string& options) {
    return "#!/bin/bash\n#SBATCH " + options + "\nsrun ./a\n";
}

ParsedJob accepted(const std::string& options) {
    const auto parsed = read_sbatch_text(script(options), "s.sh");
    EXPECT_TRUE(parsed.has_value()) << options << ": " << parsed.error().message;
    return parsed.has_value() ? *parsed : ParsedJob{};
}

std::string refusal(const std::string& options) {
    const auto parsed = read_sbatch_text(script(options), "s.sh");
    return parsed.has_value() ? "accepted" : parsed.error().message;
}

TEST(Sbatch, ReadsAnOrdinaryScript) {
    const std::string text =
        "#!/bin/bash\n"
        "#SBATCH --job-name=cfd   # a comment\n"
        "#SBATCH -A proj/cfd -p batch\n"
        "\n"
        "# an ordinary comment\n"
        "#SBATCH --nodes=2 --ntasks-per-node 8\n"
        "#SBATCH -c4\n"
        "#SBATCH --mem=64G\n"
        "#SBATCH -t 1-12:30\n"
        "#SBATCH -o out/%j.txt\n"
        "#SBATCH --mail-type=END --mail-user=a@b.c\n"
        "##SBATCH --nodes=9\n"
        "module load mpi\n"
        "#SBATCH --nodes=7\n"
        "srun ./cfd\n";
    const auto parsed = read_sbatch_text(text, "s.sh");
    ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
    const JobSpec& spec = parsed->spec;
    EXPECT_EQ(spec.name, "cfd");
    EXPECT_EQ(spec.tenant, "proj/cfd");
    EXPECT_EQ(spec.script, text);
    EXPECT_EQ(spec.launch, LaunchMode::once);
    EXPECT_EQ(spec.gang.replicas, 2U);
    EXPECT_EQ(spec.gang.cpus_milli, 32'000U);
    EXPECT_EQ(spec.gang.memory, gibibytes(64));
    EXPECT_EQ(spec.limit, seconds(36 * 3600 + 1800));
    EXPECT_EQ(spec.stdout_path, "out/%j.txt");
    EXPECT_EQ(spec.stderr_path, "out/%j.txt");  // Slurm joins them unless -e is given
    EXPECT_EQ(spec.env.at("SLURM_NTASKS"), "16");
    EXPECT_EQ(spec.env.at("SLURM_CPUS_PER_TASK"), "4");
    EXPECT_THAT(parsed->notes, Contains(HasSubstr("line 3: -p is ignored")));
    EXPECT_THAT(parsed->notes, Contains(HasSubstr("line 11: --mail-type is ignored")));
    EXPECT_THAT(parsed->notes, Contains(HasSubstr("line 14: this #SBATCH line stands behind")));
}

TEST(Sbatch, ReadsEveryFormOfAnOption) {
    for (const char* form :
         {"--nodes=3", "--nodes 3", "-N3", "-N 3", "--nodes='3'", "-N \"3\"", "-J x -N 3"}) {
        EXPECT_EQ(accepted(form).spec.gang.replicas, 3U) << form;
    }
    EXPECT_EQ(accepted("--cpus-per-t=3").spec.gang.cpus_milli, 3000U);  // as getopt has it
    EXPECT_EQ(accepted("-J 'two words'").spec.name, "two words");
    EXPECT_EQ(accepted("-J two\\ words").spec.name, "two words");
    EXPECT_EQ(accepted("--comment='a # b' # c").spec.comment, "a # b");
}

TEST(Sbatch, MakesAGangOfNodesOrOfTasks) {
    struct Case {
        const char* options;
        std::uint32_t replicas, cpus, chips;
        std::int64_t memory_mib;
    };
    // clang-format off
    const std::vector<Case> cases{
        {"-J x",                                       1,  1, 0, 0},
        {"-n 6",                                       6,  1, 0, 0},
        {"-n 6 -c 4 --mem-per-cpu=100",                6,  4, 0, 400},
        {"-n 6 --mem=600",                             6,  1, 0, 100},
        {"-N 2",                                       2,  1, 0, 0},
        {"-N 2 -n 7 -c 2",                             2,  8, 0, 0},
        {"-N 2-4 --ntasks-per-node=4",                 2,  4, 0, 0},
        {"-n 10 --ntasks-per-node=4",                  3,  4, 0, 0},
        {"-N 2 --gres=gpu:4 --mem=1G",                 2,  1, 4, 1024},
        {"--gres=gpu",                                 1,  1, 1, 0},
        {"-N 2 --gpus=8 --cpus-per-gpu=6",             2, 24, 4, 0},
        {"-n 4 --gpus=8",                              4,  1, 2, 0},
        {"-n 4 --gpus=6",                              1,  4, 6, 0},
        {"-n 4 --gpus-per-task=1 -c 8",                4,  8, 1, 0},
        {"-n 4 --gpus-per-node=2",                     1,  4, 2, 0},
        {"-N 2 --ntasks-per-node=4 --gpus-per-task=1", 2,  4, 4, 0},
        {"--gpus=2 --mem-per-gpu=10G",                 1,  1, 2, 20480},
        {"--mem=0",                                    1,  1, 0, 0},
    };
    // clang-format on
    for (const Case& one : cases) {
        const Gang gang = accepted(one.options).spec.gang;
        EXPECT_EQ(gang.replicas, one.replicas) << one.options;
        EXPECT_EQ(gang.cpus_milli, one.cpus * 1000) << one.options;
        EXPECT_EQ(gang.chips, one.chips) << one.options;
        EXPECT_EQ(gang.memory, mebibytes(one.memory_mib)) << one.options;
    }
    EXPECT_THAT(accepted("--gres=gpu:h200:2").spec.chips_any_of, ElementsAre("h200"));
    EXPECT_THAT(accepted("-G a100:2").spec.chips_any_of, ElementsAre("a100"));
    EXPECT_THAT(accepted("--gres=gpu:h200").spec.chips_any_of, ElementsAre("h200"));
    EXPECT_TRUE(accepted("--gpus=1").spec.gpus) << "a processor that counts as a chip will not do";
    EXPECT_FALSE(accepted("--gres=none").spec.gpus);
}

TEST(Sbatch, MapsTheOtherOptions) {
    EXPECT_EQ(accepted("-a 1-9:2%3").spec.array->indices.size(), 5U);
    EXPECT_EQ(accepted("-a 1-9:2%3").spec.array->at_once_max, 3U);
    const JobSpec spec = accepted("-d afterok:1:2_3,afterany:mesh,afternotok:9").spec;
    EXPECT_THAT(spec.after, ElementsAre("1", "2_3"));
    EXPECT_THAT(spec.after_any, ElementsAre("mesh"));
    EXPECT_THAT(spec.after_failure, ElementsAre("9"));
    EXPECT_EQ(accepted("-q high").spec.priority, Priority::high);
    EXPECT_THAT(accepted("-q vip").notes, Contains(HasSubstr("QOS 'vip' is ignored")));
    EXPECT_EQ(accepted("--requeue").spec.retries, 3U);
    EXPECT_EQ(accepted("--requeue --no-requeue").spec.retries, 0U);
    EXPECT_EQ(accepted("--export=ALL,A=1,B,C=x=y").spec.env.at("C"), "x=y");
    EXPECT_EQ(accepted("-D /data").spec.workdir, "/data");
    EXPECT_EQ(accepted("-o a -e b").spec.stderr_path, "b");
    EXPECT_EQ(accepted("-J x").spec.stderr_path, "");
    EXPECT_EQ(accepted("--deadline=2026-12-01T08:00").spec.deadline,
              *parse_time("2026-12-01T08:00:00Z"));
    EXPECT_THAT(refusal("--deadline=now+1hour"), HasSubstr("'now+1hour' is not a moment"));
    EXPECT_EQ(accepted("--reservation=night").spec.reservation, "night");
    EXPECT_THAT(accepted("-t 0").spec.limit, std::nullopt);
    EXPECT_THAT(accepted("-J 2026").notes, Contains(HasSubstr("the job is called 'job-2026'")));
    EXPECT_EQ(accepted("-J a/b").spec.name, "a_b");
    EXPECT_EQ(accepted("-N 1").spec.name, "s.sh");
    EXPECT_EQ(read_sbatch_text("#!/bin/sh\nls\n", "-")->spec.name, "sbatch");
}

TEST(Sbatch, NamesUnknownOptionsWithTheirLine) {
    const ParsedJob job = accepted("--colour=red --nodes=2");
    EXPECT_EQ(job.spec.gang.replicas, 2U);
    EXPECT_THAT(job.notes, Contains("line 2: --colour is not known and was left out"));
    EXPECT_EQ(accepted("--colour red -N 2").spec.gang.replicas, 2U);
    EXPECT_THAT(accepted("-N 2").notes, IsEmpty());
    EXPECT_THAT(accepted("--tmie=5").notes,
                Contains("line 2: --tmie is not known and was left out; did you mean --time?"));
}

TEST(Sbatch, TakesABeginningOfAnOptionIfItIsOfOneAlone) {
    EXPECT_EQ(accepted("--job=x --nodes=2").spec.name, "x");
    EXPECT_EQ(accepted("--out=a").spec.stdout_path, "a");
    EXPECT_EQ(refusal("--tim=5"),
              "s.sh:2:9: --tim may stand for --time, --time-min; write it whole");
    EXPECT_THAT(refusal("--mem-p=1G"), HasSubstr("may stand for --mem-per-cpu, --mem-per-gpu;"));
}

TEST(Sbatch, SaysWhatItDidNotReadOfOtherSystems) {
    const auto parsed = read_sbatch_text(
        "#!/bin/sh\n#PBS -l nodes=2\n#PBS -q long\n#BSUB -n 4\n#PBSX\n#PJM\nls\n", "s.sh");
    ASSERT_TRUE(parsed.has_value());
    EXPECT_THAT(
        parsed->notes,
        ElementsAre("line 2: 2 lines with #PBS (for PBS) were not read; weir reads #SBATCH",
                    "line 4: 1 line with #BSUB (for LSF) was not read; weir reads #SBATCH"));
}

TEST(Sbatch, PassesOverAByteOrderMark) {
    const std::string text = "\xEF\xBB\xBF#!/bin/sh\n#SBATCH -N 2\nls\n";
    EXPECT_TRUE(looks_like_script(text));
    const auto parsed = read_sbatch_text(text, "s.sh");
    ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
    EXPECT_EQ(parsed->spec.gang.replicas, 2U);
    EXPECT_EQ(parsed->spec.script.substr(0, 2), "#!") << "or no kernel would start it";
}

TEST(Sbatch, RefusesWhatItCouldOnlyBreak) {
    EXPECT_EQ(refusal("--nodelist=n1"),
              "s.sh:2:9: --nodelist: cannot be honoured: weir chooses the nodes");
    EXPECT_THAT(refusal("-b now+1hour"), HasSubstr("-b: cannot be honoured"));
    EXPECT_THAT(refusal("-d singleton"), HasSubstr("'singleton' is not a condition"));
    EXPECT_THAT(refusal("-d afterok:1?afterok:2"), HasSubstr("not for any"));
    EXPECT_THAT(refusal("-d afterok"), HasSubstr("write afterok:JOB"));
    EXPECT_EQ(refusal("--dependency=afterok:35+5"),
              "s.sh:2:9: --dependency: '35+5' asks for minutes after the end of job 35; weir waits "
              "for the end alone: write afterok:35");
    EXPECT_THAT(accepted("-d afterok:c++11").spec.after, ElementsAre("c++11"));
    EXPECT_THAT(refusal("--export=RANK=7"), HasSubstr("the name 'RANK' is set by weir itself"));
    EXPECT_THAT(refusal("--gres=nic:1"), HasSubstr("it gives chips"));
    EXPECT_THAT(refusal("--gres=gpu:a:1 --gpus=b:1"), HasSubstr("one kind of chip"));
    EXPECT_THAT(refusal("-N 3 --gpus=8"), HasSubstr("cannot be divided evenly among 3 nodes"));
    EXPECT_THAT(refusal("-N 2 --gpus=8 --gpus-per-node=2"), HasSubstr("another option asks for 2"));
    EXPECT_THAT(refusal("--mem=1G --mem-per-cpu=1G"), HasSubstr("exclude each other"));
    EXPECT_THAT(refusal("-N 2 -n 9 --ntasks-per-node=4"), HasSubstr("9 tasks do not fit 2 nodes"));
    EXPECT_THAT(refusal("--gpus=100"), HasSubstr("more than any has"));
    EXPECT_THAT(refusal("-D data"), HasSubstr("absolute path"));
    EXPECT_THAT(refusal("-N"), HasSubstr("-N has no value"));
    EXPECT_THAT(refusal("-N ''"), HasSubstr("-N: has no value"));
    EXPECT_THAT(refusal("-N many -t soon"),
                ::testing::AllOf(HasSubstr("'many' is not a number of nodes"),
                                 HasSubstr("'soon' is not a time of Slurm")));
    EXPECT_THAT(refusal("-N -2"), HasSubstr("is not a number of nodes"));
    EXPECT_THAT(refusal("-J 'open"), HasSubstr("a quote is not closed"));
    EXPECT_THAT(refusal("run.sh"), HasSubstr("options begin with '-'"));
    EXPECT_THAT(refusal("--hold=yes"), HasSubstr("takes no value"));
}

TEST(Sbatch, RefusesTextsThatAreNoScripts) {
    const auto why = [](const std::string& text) {
        const auto parsed = read_sbatch_text(text, "s.sh");
        return parsed.has_value() ? "accepted" : parsed.error().message;
    };
    EXPECT_THAT(why("echo\n"), HasSubstr("begins with #!"));
    EXPECT_THAT(why("#!/bin/sh\r\nls\r\n"), HasSubstr("s.sh:1:10: this line ends as lines do on"));
    EXPECT_THAT(why(std::string("#!/bin/sh\nl\0s", 13)), HasSubstr("s.sh:2:2: a NUL"));
    EXPECT_THAT(why("#!/bin/sh\n\xB0\n"), HasSubstr("UTF-8"));
    EXPECT_THAT(why("#!" + std::string(2 << 20, 'x')), HasSubstr("at most 1MiB"));
    EXPECT_TRUE(looks_like_script("#!/bin/sh\n"));
    EXPECT_FALSE(looks_like_script("name: x\n"));
    EXPECT_FALSE(looks_like_script(""));
}

TEST(Sbatch, GivesArgumentsToShellsWithoutMovingLines) {
    const std::vector<std::string> args{"a b", "it's"};
    EXPECT_EQ(read_sbatch_text("#!/bin/bash\n# x\n#SBATCH -N1\necho $1\n", "s", args)->spec.script,
              "#!/bin/bash\n# x\nset -- 'a b' 'it'\\''s'\necho $1\n");
    EXPECT_EQ(read_sbatch_text("#!/usr/bin/env bash\necho $1\n", "s", args)->spec.script,
              "#!/usr/bin/env bash\nset -- 'a b' 'it'\\''s'\necho $1\n");
    const auto python = read_sbatch_text("#!/usr/bin/python3\nprint()\n", "s", args);
    ASSERT_FALSE(python.has_value());
    EXPECT_EQ(python.error().code, Code::unsupported);
}

TEST(Sbatch, ReadsTimesOfSlurm) {
    const auto time = [](const char* text) { return *parse_slurm_time(text); };
    EXPECT_EQ(time("30"), seconds(1800));
    EXPECT_EQ(time("30:15"), seconds(1815));
    EXPECT_EQ(time("1:30:15"), seconds(5415));
    EXPECT_EQ(time("2-1"), seconds(2 * 86'400 + 3600));
    EXPECT_EQ(time("2-1:30"), seconds(2 * 86'400 + 5400));
    EXPECT_EQ(time("2-1:30:15"), seconds(2 * 86'400 + 5415));
    EXPECT_EQ(time("UNLIMITED"), std::nullopt);
    EXPECT_EQ(time("infinite"), std::nullopt);
    for (const char* wrong :
         {"", "1h", "1:2:3:4", "-5", "1-", "1-2-3", "1:", ":1", "1.5", "99999999999", "99999-0"}) {
        EXPECT_FALSE(parse_slurm_time(wrong).has_value()) << wrong;
    }
}

TEST(Sbatch, ReadsMemoryOfSlurm) {
    EXPECT_EQ(*parse_slurm_memory("4000"), mebibytes(4000));
    EXPECT_EQ(*parse_slurm_memory("4G"), gibibytes(4));
    EXPECT_EQ(*parse_slurm_memory("4GB"), gibibytes(4));
    EXPECT_EQ(*parse_slurm_memory("512m"), mebibytes(512));
    EXPECT_EQ(*parse_slurm_memory("1T"), gibibytes(1024));
    EXPECT_EQ(*parse_slurm_memory("100K"), kibibytes(100));
    for (const char* wrong : {"", "G", "-1G", "4X", "4GiB", "four", "B"}) {
        EXPECT_FALSE(parse_slurm_memory(wrong).has_value()) << wrong;
    }
}

TEST(Sbatch, HasNoOptionTwice) {
    for (const SbatchOption& option : sbatch_options()) {
        EXPECT_THAT(find_options(option.name), ElementsAre(&option)) << option.name;
        if (option.letter != 0) {
            EXPECT_EQ(find_option(option.letter), &option) << option.letter;
        }
        EXPECT_THAT(option.says, Not(IsEmpty()));
    }
}

}  // namespace
}  // namespace weir::job
