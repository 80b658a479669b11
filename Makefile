# 法治联盟链 fazhi. `make` lists the targets.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

DISTRIBUTIONS := ledger consensus contracts client_sdk node cli
CODE := $(DISTRIBUTIONS) tests $(wildcard demo bench)
PY := .venv/bin/python
PYTEST := $(PY) -m pytest
UV ?= $(or $(wildcard .venv/bin/uv),uv)

SEEDS ?= 500
TRACES ?= 1000
SAMPLES ?= 10000
KILLS ?= 1000
RUNS ?= 12
JOBS ?= 2
MINUTES ?= 20
STORIES ?= 100000

# Parameters of the demo, handed to it in its environment. Empty means its own choice.
EVIDENCE ?=
PROCEDURE ?=
OUT ?= demo-out
export EVIDENCE PROCEDURE OUT

.PHONY: help setup demo stop test check lint explore readings sim sim-core twins mutants model kills netns hostile bench bench-quick bench-peers fuzz lock wheelhouse clean

help: ## 列出目标 / list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

setup: ## 按锁定的哈希准备 .venv / prepare .venv from the hashed lock
	@scripts/setup.sh

demo: setup ## 演示一个案件与一次节点故障 / a case goes by while a node is killed (EVIDENCE= OUT= PROCEDURE=mediation)
	@$(PY) -m demo

stop: ## 停止演示或试验网络留下的进程 / stop what a demo or devnet left running
	@scripts/stop.sh "$(OUT)"

test: lint ## 全部检查与测试 / every check and every test
	@$(PY) -m tests.model --fetch
	@$(PYTEST) -n 2

check: lint ## 快速检查,几分钟 / the fast part, a few minutes
	@$(PYTEST) -n 2 -q -m "not slow"

lint: setup
	@$(PY) -m ruff check --quiet --output-format concise $(CODE)
	@$(PY) -m ruff format --check $(CODE) > /dev/null || { $(PY) -m ruff format --check --quiet --diff $(CODE); exit 1; }
	@$(PY) -m mypy --no-error-summary $(CODE)
	@report=$$(.venv/bin/lint-imports --no-logo) || { echo "$$report" >&2; exit 1; }

explore: setup ## 用新种子长时间搜索反例 / search long for counter-examples, with fresh seeds (TESTS=)
	@FAZHI_HYPOTHESIS=explore $(PYTEST) -n 2 --timeout 3600 $(TESTS)

readings: setup ## 规则集的两种读法对照随机案情 / hold two readings of rule sets against random cases (STORIES=100000 JOBS=2)
	@$(PY) -m tests.contracts.readings --stories $(STORIES) --jobs $(JOBS)

sim: setup ## 整个节点的仿真 / simulate whole nodes through every fault (SEEDS=500 JOBS=2)
	@$(PY) -m tests.simulation.nodes --seeds $(SEEDS) --jobs $(JOBS)

sim-core: setup ## 共识核心的仿真 / simulate the consensus core (SEEDS=500)
	@$(PY) -m tests.simulation --seeds $(SEEDS)

twins: setup ## 一个身份运行两次的全部情形 / one identity run twice, every scenario (JOBS=2 SAMPLES=10000)
	@$(PY) -m tests.simulation.twins --jobs $(JOBS) --samples $(SAMPLES)

mutants: setup ## 逐条打破规则,看谁能发现 / break the rules one by one and see who notices (JOBS=2)
	@$(PY) -m tests.mutants --jobs $(JOBS)

model: setup ## 形式化模型的穷举检查 / search the model of consensus, hold runs against it (TRACES=1000; needs java)
	@nice -n 5 $(PY) -m tests.model --traces $(TRACES)

kills: setup ## 负载下反复 kill -9 真实节点 / kill -9 real nodes under load (KILLS=1000 SEED=1)
	@nice -n 5 $(PY) -m tests.cluster.kills --kills $(KILLS) --seed $(or $(SEED),1)

netns: setup ## 真实节点经历断网、丢包、冻结、错钟、升级 / real nodes in a bad network; needs root (RUNS=12 SEED=0)
	@nice -n 5 $(PY) -m tests.cluster.netns --runs $(RUNS) --seed $(or $(SEED),0)

hostile: setup ## 敌对成员与客户端下的吞吐 / what hostile members and clients leave of the throughput (ARGS=gossip)
	@nice -n 5 $(PY) -m bench.hostile $(ARGS)

bench: setup ## 测量性能 / measure, in full (JSON= ARGS=)
	@$(PY) -m bench $(if $(JSON),--json $(JSON)) $(ARGS)

bench-quick: setup ## 快速测量 / measure quickly (JSON= ARGS=)
	@$(PY) -m bench --quick $(if $(JSON),--json $(JSON)) $(ARGS)

bench-peers: setup ## 与其他系统同机比较 / the same load against other systems (JSON= ARGS=)
	@$(PY) -m bench.peers $(if $(JSON),--json $(JSON)) $(ARGS)

fuzz: setup ## 模糊测试:解码、网关、节点间接口 / fuzz the decoders, the gateway and the peers' interface (MINUTES=20; takes 4 at least)
	@scripts/fuzz-tools.sh
	@PYTHONPATH=.venv/fuzz nice -n 5 $(PY) -m tests.fuzz --minutes $(MINUTES)

lock: ## 重新解析依赖 / resolve requirements.lock anew (UPGRADE=1 takes the newest; needs uv)
	@$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
		--no-emit-find-links $(if $(UPGRADE),--upgrade) requirements.in --output-file requirements.lock
	@$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
		--no-emit-find-links $(if $(UPGRADE),--upgrade) --constraints requirements.lock requirements-fuzz.in \
		--output-file requirements-fuzz.lock

wheelhouse: setup ## 收集离线安装所需的全部文件 / collect all that an installation without network needs
	@rm -rf wheelhouse
	@$(PY) -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir wheelhouse $(DISTRIBUTIONS:%=./%)
	@$(PY) -m pip download --quiet --require-hashes --only-binary :all: --requirement requirements.lock --dest wheelhouse
	@echo "离线安装 / install offline: pip install --no-index --find-links wheelhouse fazhi-cli"

clean: stop ## 删除缓存、构建结果与演示输出 / remove caches, builds and the demo's output; .venv stays
	@rm -rf dist wheelhouse demo-out fuzz-out .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find . -name .venv -prune -o -name node_modules -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
