"""microchain's side of latency.py: its agent, engine and OpenAI generator as its README shows them, chain after chain.

<venv with microchain-python and openai>/bin/python tests/benchmarks/peer_microchain.py <url> <chains>
"""

import sys

from microchain import LLM, Agent, Engine, Function, OpenAIChatGenerator

URL, CHAINS = sys.argv[1], int(sys.argv[2])


class Reasoning(Function):
    description = "Writes down a step of the reasoning"
    example_args = ["First the price of all apples"]

    def __call__(self, thought: str):
        return "recorded"


class Add(Function):
    description = "a + b"
    example_args = [2, 3]

    def __call__(self, a: float, b: float):
        return a + b


class Subtract(Function):
    description = "a - b"
    example_args = [2, 3]

    def __call__(self, a: float, b: float):
        return a - b


class Multiply(Function):
    description = "a * b"
    example_args = [2, 3]

    def __call__(self, a: float, b: float):
        return a * b


class Finish(Function):
    description = "Ends the chain with its answer"
    example_args = ["5"]

    def __call__(self, answer: str):
        self.engine.stop()
        return answer


generator = OpenAIChatGenerator(model="test", api_key="sk-test", api_base=URL, temperature=1.0, max_tokens=256)
for number in range(CHAINS):
    engine = Engine(state={})
    for function in (Reasoning, Add, Subtract, Multiply, Finish):
        engine.register(function())
    agent = Agent(llm=LLM(generator=generator), engine=engine)
    agent.prompt = (
        f"You can use the following functions:\n\n{engine.help}\nOnly output valid Python function calls.\n\n"
    )
    agent.prompt += f"Order {number}: apples cost 3 each, I buy 12 and a box for 14. What is left of 100?"
    agent.run(iterations=10)
