// Jobs run one after the other, are watched, and end when intake stops.
#include <gtest/gtest.h>

#include <future>

#include "tests/intake_service/world.h"

namespace xundian::intake {
namespace {

template <typename Response>
Response ask(World& world, std::string_view method, const google::protobuf::Message& request) {
  Response response;
  const auto bytes = world.ask(method, request);
  EXPECT_TRUE(bytes && response.ParseFromString(*bytes)) << (bytes ? "the answer cannot be read" : bytes.error().message);
  return response;
}

query::v1::StartImportRequest request_for(const std::string& path, const std::string& request_id = "") {
  query::v1::StartImportRequest request;
  request.add_paths(path);
  request.set_request_id(request_id);
  return request;
}

// A job that waits until it is told to end.
struct Gate {
  std::promise<void> began, may_end;
  std::shared_future<void> end = may_end.get_future().share();
};

TEST(Jobs, AreWatchedFromStartToEnd) {
  World world;
  Gate gate;
  Jobs jobs([&gate](const Task& task, const Watch& watch) -> Result<void> {
    EXPECT_EQ(task.scope, "default/default");
    watch.phase("reading");
    gate.began.set_value();
    gate.end.wait();
    return fail(Code::invalid_argument, "a.csv is no table");
  });
  world.jobs = &jobs;
  const auto started = ask<query::v1::StartImportResponse>(world, "StartImport", request_for("a.csv"));
  gate.began.get_future().wait();
  query::v1::GetImportRequest question;
  question.set_job(started.job());
  auto state = ask<query::v1::GetImportResponse>(world, "GetImport", question);
  EXPECT_FALSE(state.done());
  EXPECT_EQ(state.phase(), "reading");
  EXPECT_EQ(state.import_id(), started.job());
  gate.may_end.set_value();
  ASSERT_TRUE(jobs.stop());
  state = ask<query::v1::GetImportResponse>(world, "GetImport", question);
  EXPECT_TRUE(state.done());
  EXPECT_EQ(state.error(), "a.csv is no table");
  EXPECT_EQ(state.error_code(), static_cast<uint32_t>(Code::invalid_argument));
}

TEST(Jobs, RunInTheirOrderAndOneNameIsOneJob) {
  std::promise<void> all;
  std::vector<std::string> ran;
  Jobs jobs([&](const Task& task, const Watch&) -> Result<void> {
    ran.push_back(task.import.paths(0));
    if (ran.size() == 3) all.set_value();
    return {};
  });
  const auto one = jobs.start(request_for("1", "call-1"));
  const auto two = jobs.start(request_for("2"));
  EXPECT_EQ(*jobs.start(request_for("1", "call-1")), *one);
  const auto three = jobs.start(request_for("3"));
  EXPECT_LT(*one, *two);
  EXPECT_LT(*two, *three);
  EXPECT_LT(*three, uint64_t{1} << 63);
  all.get_future().wait();
  EXPECT_EQ(ran, (std::vector<std::string>{"1", "2", "3"}));
}

TEST(Jobs, WhatRunsLearnsThatIntakeStops) {
  std::promise<void> began;
  Jobs jobs([&began](const Task&, const Watch& watch) -> Result<void> {
    began.set_value();
    while (!watch.stopping()) std::this_thread::yield();
    return fail(Code::cancelled, "intake was stopped");
  });
  const auto job = jobs.start(request_for("a.csv"));
  began.get_future().wait();
  EXPECT_TRUE(jobs.stop());
  EXPECT_EQ(jobs.find(*job)->error_code(), static_cast<uint32_t>(Code::cancelled));
  EXPECT_FALSE(jobs.start(request_for("b.csv")));
}

TEST(Jobs, OfAnEarlierLifeAreToldFromTheJournal) {
  World world;
  world.import({store_fact("shop"), order_fact("1", 1'000, "paid")}, 5);
  Jobs jobs([](const Task&, const Watch&) { return Result<void>(); });
  world.jobs = &jobs;
  query::v1::GetImportRequest question;
  question.set_job(5);
  const auto state = ask<query::v1::GetImportResponse>(world, "GetImport", question);
  EXPECT_TRUE(state.done());
  EXPECT_EQ(state.total().facts(), 2u);
  question.set_job(6);
  EXPECT_EQ(world.ask("GetImport", question).error().code, Code::not_found);
  const auto imports = ask<query::v1::ListImportsResponse>(world, "ListImports", query::v1::ListImportsRequest());
  ASSERT_EQ(imports.imports_size(), 1);
  EXPECT_EQ(imports.imports(0).file(), "facts.csv");
  EXPECT_EQ(imports.imports(0).scope(), "default/default");
}

TEST(Jobs, AnImportThatWasUndoneIsRefusedAtOnce) {
  World world;
  world.import({order_fact("1", 1'000, "paid")}, 5);
  world.undo(5);
  Jobs jobs([](const Task&, const Watch&) { return Result<void>(); });
  world.jobs = &jobs;
  query::v1::UndoImportRequest request;
  request.set_import_id(5);
  EXPECT_EQ(world.ask("UndoImport", request).error().code, Code::failed_precondition);
}

TEST(Jobs, WithoutARunnerAreRefused) {
  World world;
  EXPECT_EQ(world.ask("StartImport", request_for("a.csv")).error().code, Code::unimplemented);
  EXPECT_EQ(world.ask("Nonsense", request_for("a.csv")).error().code, Code::unimplemented);
}

}  // namespace
}  // namespace xundian::intake
