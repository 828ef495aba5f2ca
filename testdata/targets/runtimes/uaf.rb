# Ruby crashes here while a probe is on its methods in C: the name of a class of the interpreter has been freed.
GC.start
keep = Array.new(20000) { |i| Object.new }   # reuse freed slots
class Foo
  def a; end
  20.times { |i| alias_method :"c#{i}", :a }
  alias b a
  alias c a
  def self.z; end
end
l = [1,2].map { |x| lambda { x } }
puts "ok"
