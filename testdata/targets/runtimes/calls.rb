# Deterministic Ruby target: prints `METHOD CALLS` lines, its own count of every Ruby method entered.
$n = Hash.new(0)
$lock = Mutex.new

def hit(name)
  $lock.synchronize { $n[name] += 1; $n["hit"] += 1 }
end

def fib(k)
  hit("fib")
  k < 2 ? k : fib(k - 1) + fib(k - 2)
end

def raiser(k)
  hit("raiser")
  raise ArgumentError, "x" if k == 0
  raiser(k - 1)
end

def catcher
  hit("catcher")
  raiser(3)
rescue ArgumentError
  nil
end

class Shape
  def initialize(w)
    hit("initialize")
    @w = w
  end

  def area
    hit("area")
    @w * side
  end

  def self.make(w)
    hit("make")
    new(w)
  end

  define_method(:dyn) { hit("dyn") }

  private def side
    hit("side")
    @w
  end
end

def run
  hit("run")
  fib(10)
  5.times { catcher }
  3.times { |i| Shape.make(i).area }
  Shape.make(1).dyn
  gen = Enumerator.new { |y| 3.times { |i| hit("block"); y << i } }
  gen.next; gen.next
  Array.new(3) { Thread.new { fib(8) } }.each(&:join)
end

TracePoint.new(:call, :return) { }.enable if ENV["TRACEPOINT"] # method probes fire only while one is enabled
run
$n.sort.each { |k, v| puts "#{k} #{v}" }
